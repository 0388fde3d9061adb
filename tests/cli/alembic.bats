# A real Alembic project: the version table is shared both ways, and `guard --` puts alembic under the guard.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  alembic_project
}

alembic_project() {
  mkdir -p alembic/versions
  printf '[alembic]\nscript_location = alembic\n' >alembic.ini
  cat >alembic/env.py <<'PY'
import os
import sqlalchemy
from alembic import context

engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"], poolclass=sqlalchemy.pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
PY
}

# alembic_revision ID PARENT UPGRADE DOWNGRADE: SQL in a Python revision; with twin=yes in ripcord's form too.
alembic_revision() {
  local parent=None
  [ -z "$2" ] || parent="\"$2\""
  cat >"alembic/versions/$1.py" <<PY
"""revision $1"""
from alembic import op

revision = "$1"
down_revision = $parent
branch_labels = None
depends_on = None

def upgrade():
    op.execute("""$3""")

def downgrade():
    op.execute("""$4""")
PY
  [ -z "${twin:-}" ] || make_revision "$1" "$2" "$3" "" "$4"
}

# Both say the same of where the database is.
agree() {
  local theirs ours
  theirs=$(alembic current 2>/dev/null | cut -d' ' -f1 | sort)
  ours=$("$RIPCORD" current --json | jq -r '.heads[]' | sort)
  assert_same "alembic's heads" "$1" "$(echo $theirs)"
  assert_same "ripcord's heads" "$1" "$(echo $ours)"
}

@test "what either writes the other reads" {
  twin=yes
  alembic_revision aaa1 "" "CREATE TABLE t (a int)" "DROP TABLE t"
  alembic_revision bbb2 aaa1 "CREATE TABLE u (a int)" "DROP TABLE u"
  alembic_revision ccc3 bbb2 "CREATE TABLE v (a int)" "DROP TABLE v"
  agree ""
  alembic upgrade aaa1
  agree aaa1
  run_ripcord upgrade +1 --yes
  assert_exit 0
  agree bbb2
  alembic upgrade head
  agree ccc3
  assert_same "alembic's text" "ccc3 (head)" "$(alembic current 2>/dev/null)"
  run_ripcord current
  assert_same "ripcord's text" "ccc3 (head)" "$output"
  run_ripcord downgrade -1 --yes
  assert_exit 0
  agree bbb2
  alembic downgrade base
  agree ""
  run_ripcord upgrade head --yes
  assert_exit 0
  agree ccc3
  run_ripcord stamp aaa1
  assert_exit 0
  agree aaa1
}

@test "two heads and their merge" {
  twin=yes
  alembic_revision aaa1 "" "CREATE TABLE t (a int)" "DROP TABLE t"
  alembic_revision bbb2 aaa1 "CREATE TABLE u (a int)" "DROP TABLE u"
  alembic_revision ccc3 aaa1 "CREATE TABLE v (a int)" "DROP TABLE v"
  run_ripcord upgrade heads --yes
  assert_exit 0
  agree "bbb2 ccc3"
  alembic downgrade aaa1
  agree aaa1
  alembic upgrade heads
  agree "bbb2 ccc3"
}

@test "guard -- alembic upgrade head: a success" {
  alembic_revision aaa1 "" "CREATE TABLE t AS SELECT generate_series(1, 1000) AS a" "DROP TABLE t"
  run_ripcord guard --json -- alembic upgrade head
  assert_exit 0
  assert_json '.outcome == "upgraded" and .from == [] and .to == ["aaa1"] and .backup.bytes > 0'
  assert_same heads "aaa1 (head)" "$(alembic current 2>/dev/null)"
}

@test "guard -- alembic: a committed loss is restored" {
  alembic_revision aaa1 "" "CREATE TABLE t AS SELECT n AS a, md5(n::text) AS b FROM generate_series(1, 5000) n" "DROP TABLE t"
  run_ripcord guard -- alembic upgrade head
  assert_exit 0
  alembic_revision bbb2 aaa1 "ALTER TABLE t DROP COLUMN b" "ALTER TABLE t ADD COLUMN b text"
  alembic_revision ccc3 bbb2 "SELECT 1/0" "SELECT 1"
  before=$(table_digest t)
  run_ripcord guard --json -- alembic upgrade head
  assert_exit 5
  assert_json '.outcome == "restored" and (.quarantine | type == "string") and .from == ["aaa1"]'
  assert_same digest "$before" "$(table_digest t)"
  assert_same heads "aaa1" "$(alembic current 2>/dev/null | cut -d' ' -f1)"
}

@test "guard -- alembic: a failure that was rolled back ends as before, by whatever rung" {
  alembic_revision aaa1 "" "CREATE TABLE t AS SELECT generate_series(1, 100) AS a" "DROP TABLE t"
  run_ripcord guard -- alembic upgrade head
  assert_exit 0
  alembic_revision bbb2 aaa1 "CREATE TABLE u (a int); DELETE FROM t; SELECT 1/0" "DROP TABLE u"
  before=$(table_digest t)
  run_ripcord guard --json -- alembic upgrade head
  # Aborted work is in the server's counters too: where it cannot be told from work that stayed, a restore is right.
  [ "$status" = 4 ] || [ "$status" = 5 ] || fail "exit $status"
  assert_same digest "$before" "$(table_digest t)"
  assert_same table "" "$(sql "SELECT to_regclass('u')")"
  assert_same heads aaa1 "$(alembic current 2>/dev/null | cut -d' ' -f1)"
}

@test "guard --down: the other tool's own way back, when it is one" {
  alembic_revision aaa1 "" "CREATE TABLE t AS SELECT generate_series(1, 10) AS a" "DROP TABLE t"
  run_ripcord guard -- alembic upgrade head
  assert_exit 0
  alembic_revision bbb2 aaa1 "CREATE TABLE u (a int)" "DROP TABLE u"
  alembic_revision ccc3 bbb2 "SELECT 1/0" "SELECT 1"
  run_ripcord guard --down "alembic downgrade aaa1" --json -- alembic upgrade head
  assert_exit 4
  assert_json '.quarantine == null'
  assert_same heads "aaa1" "$(alembic current 2>/dev/null | cut -d' ' -f1)"
}

@test "guard: a command that is not there, one that a signal ends" {
  run_ripcord guard --json -- no-such-program upgrade
  [ "$status" != 0 ] || fail "a success"
  run_ripcord guard --json -- sh -c 'kill -9 $$'
  [ "$status" = 4 ] || fail "exit $status"
}
