# The units, the cron line and the manifest under scripts/packaging: that they parse, and name commands that there are.
load lib/cluster

setup() {
  packaging=$BATS_TEST_DIRNAME/../../scripts/packaging
  new_project
}

# The program's own parser says whether a command line is one: exit 2 only for what is no database's or store's matter.
is_command() {
  run_ripcord "$@" -x database.url=postgresql://x@127.0.0.1:1/app
  [[ $stderr != *unknown* && $stderr != *"needs to be"* ]] || fail "$stderr"
}

@test "systemd takes the units" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze here"
  # The program has its place in a package; here it is the one under test.
  for unit in "$packaging"/ripcord-backup@.*; do
    sed "s|/usr/bin/ripcord|$RIPCORD|; /^User=/d" "$unit" >"$(basename "$unit" | sed 's/@/@app/')"
  done
  run -0 systemd-analyze --man=no verify ./ripcord-backup@app.service ./ripcord-backup@app.timer
  [ -z "$(grep -i ripcord-backup <<<"$output")" ] || fail "$output"
  sed -i 's/^OnCalendar=.*/OnCalendar=now and then/' ripcord-backup@app.timer
  run systemd-analyze --man=no verify ./ripcord-backup@app.timer
  [[ $output == *"now and then"* ]] || fail "a broken unit passes"
}

@test "the units' and the cron line's commands are commands" {
  line=$(sed -n 's/^ExecStart=[^ ]* //p' "$packaging/ripcord-backup@.service" | sed 's/%[iS]/x/g')
  # shellcheck disable=SC2086
  is_command $line
  line=$(sed -n 's/^[0-9*]* .* ripcord ripcord //p' "$packaging/ripcord.cron" | sed 's/ -c .*//')
  [ -n "$line" ] || fail "no cron line"
  # shellcheck disable=SC2086
  is_command $line
  is_command backup create --if-oldest 6h && fail "anything passes" || true
}

@test "the CronJob is YAML, runs ripcord, and its configuration is one" {
  python3 - "$packaging/kubernetes-cronjob.yaml" <<'PY' >words
import sys, yaml
config, job = yaml.safe_load_all(open(sys.argv[1]))
assert job["kind"] == "CronJob" and job["apiVersion"] == "batch/v1"
assert job["spec"]["concurrencyPolicy"] == "Forbid"
pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
assert pod["restartPolicy"] in ("Never", "OnFailure")
mounts = {m["name"] for m in pod["containers"][0]["volumeMounts"]}
assert mounts == {v["name"] for v in pod["volumes"]}
open("ripcord.ini", "w").write(config["data"]["ripcord.ini"])
print(*[a for a in pod["containers"][0]["args"] if a != "-c" and not a.startswith("/")])
PY
  export AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b RIPCORD_NOTIFY_URL=http://127.0.0.1:1/x
  # shellcheck disable=SC2046
  is_command $(cat words) -x ripcord.state_dir=state -x notify.attempts=1
}
