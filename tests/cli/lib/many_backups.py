"""many_backups.py FOLDER COUNT STEP_S [KEY=VALUE...]: COUNT older backups beside a real one, STEP_S seconds apart.

Their data is the same file; their manifests say another id, folder and time, and seal themselves as ripcord does.
KEY=VALUE: a member of the manifest (installation=staging, heads=a,b), or verified=no, pinned=REASON, age=SECONDS of the
first one, later=yes for newer ones in place of older ones.
"""
import hashlib
import json
import os
import random
import sys
from datetime import datetime, timedelta


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sealed(value):
    value = {key: value[key] for key in value if key != "digest"}
    value["digest"] = hashlib.sha256(canonical(value).encode()).hexdigest()
    return value


def mark(folder, name, id, key, value):
    text = canonical(sealed({"format": 1, "backup": id, "at": "2026-11-22T10:15:00.000000Z", key: value}))
    with open(f"{folder}/{name}", "w", encoding="utf-8") as out:
        out.write(text)


def main():
    source, count, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    options = dict(word.split("=", 1) for word in sys.argv[4:])
    verified = options.pop("verified", "yes") == "yes"
    pinned = options.pop("pinned", None)
    age = int(options.pop("age", step))
    sign = 1 if options.pop("later", "no") == "yes" else -1
    if "heads" in options:
        options["heads"] = [head for head in options["heads"].split(",") if head]
    with open(f"{source}/manifest.json", encoding="utf-8") as text:
        real = json.load(text)
    newest = datetime.strptime(real["created"], "%Y-%m-%dT%H:%M:%S.%fZ")
    for i in range(count):
        created = newest + sign * timedelta(seconds=age + i * step)
        short = f"{random.getrandbits(32):08x}"
        compact = created.strftime("%Y%m%dT%H%M%SZ")
        manifest = dict(real, created=created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), id=f"{compact}-{short}", **options)
        database = f'{manifest["database"]}-{manifest["system_identifier"]}'
        manifest["folder"] = f'{database}/{compact}-{"+".join(manifest["heads"]) or "base"}-{short}'
        folder = os.path.join(os.path.dirname(os.path.dirname(source)), manifest["folder"])
        os.makedirs(folder, 0o700)
        os.link(f"{source}/backup.tar", f"{folder}/backup.tar")
        with open(f"{folder}/manifest.json", "w", encoding="utf-8") as out:
            json.dump(sealed(manifest), out, sort_keys=True, indent=2, ensure_ascii=False)
            out.write("\n")
        if verified:
            mark(folder, "verified-restore.json", manifest["id"], "how", "restore")
        if pinned:
            mark(folder, "pinned.json", manifest["id"], "reason", pinned)
        print(manifest["id"])


main()
