"""A session of `requests`, as scripts of the field keep one. Each step is a line on stdout; `idle` waits for a line on stdin."""
import sys
import requests

base, user, password = sys.argv[1:]
vms = base + "/ovirt-engine/api/vms"
with requests.Session() as session:
    session.headers["Prefer"] = "persistent-auth"
    session.headers["Accept"] = "application/xml"

    def get(auth=None, **more):
        answer = session.get(vms, auth=auth, timeout=30, **more)
        return answer.status_code, session.cookies.get("JSESSIONID")

    print("log-in", *get((user, password)), flush=True)
    for _ in range(3):
        print("request", *get(), flush=True)
    print("idle", flush=True)
    sys.stdin.readline()
    print("expired", *get(), flush=True)
    print("log-in", *get((user, password)), flush=True)
    print("request", *get(), flush=True)
    print("log-out", *get((user, password), headers={"Prefer": None}), flush=True)
