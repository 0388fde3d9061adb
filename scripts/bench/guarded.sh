#!/bin/sh
# guarded.sh - a guarded upgrade of one revision on a small database, beside Alembic's unguarded one.
#
#     scripts/bench/guarded.sh [RUNS]      default: 5
#
# ripcord takes a backup, reads it back, restores its schema to a scratch database and compares fingerprints (all
# defaults); `verify = read` leaves the scratch database out.  Alembic, which has to be installed, takes no
# backup.  All take turns.  RIPCORD is the program, built with optimisation: default build/release/ripcord.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
runs=${1:-5}
# shellcheck source=scripts/bench/lib.sh
. "$root/scripts/bench/lib.sh"
need_cluster "$runs"
command -v alembic >/dev/null || die "alembic is not installed"
enter_work

mkdir -p migrations/versions
alembic_project bench
cat >migrations/versions/one.sql <<'END'
-- revision: one
-- message: add a column

-- ripcord:upgrade
ALTER TABLE contact ADD COLUMN is_billing boolean NOT NULL DEFAULT false;

-- ripcord:downgrade
ALTER TABLE contact DROP COLUMN is_billing;
END
cat >python/versions/one.py <<'END'
import sqlalchemy as sa
from alembic import op

revision = "one"
down_revision = None


def upgrade():
    op.add_column("contact", sa.Column("is_billing", sa.Boolean, nullable=False, server_default=sa.false()))
END
turn() {
	name=$1
	shift
	new_bench
	psql -Xqc 'CREATE TABLE contact AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 10000) n' bench
	rm -rf .ripcord backups
	seconds "$@" >>"$name.seconds"
	psql -XAtc 'SELECT count(*) FROM contact WHERE is_billing' bench >log || die "$name added no column"
}

DATABASE_URL=$(url postgresql bench)
export DATABASE_URL
i=0
while [ "$i" -lt "$runs" ]; do
	turn alembic alembic upgrade head
	turn default "$RIPCORD" -q upgrade head --yes
	turn read "$RIPCORD" -q upgrade head --yes -x backup.verify=read
	i=$((i + 1))
done

echo "one revision, 10,000 rows, $runs runs, $(nproc) processors"
line "alembic, no backup" alembic.seconds
line "ripcord, verify = restore" default.seconds alembic.seconds
line "ripcord, verify = read" read.seconds alembic.seconds
