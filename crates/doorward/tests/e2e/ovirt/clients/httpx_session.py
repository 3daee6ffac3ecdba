"""A session of `httpx`, as scripts of the field keep one. Each step is a line on stdout; `idle` waits for a line on stdin."""
import sys
import httpx

base, user, password = sys.argv[1:]
vms = base + "/ovirt-engine/api/vms"
with httpx.Client(timeout=30, trust_env=False) as session:

    def get(auth=None, prefer="persistent-auth"):
        headers = {"Accept": "application/xml"}
        if prefer:
            headers["Prefer"] = prefer
        answer = session.get(vms, auth=auth, headers=headers)
        return answer.status_code, session.cookies.get("JSESSIONID")

    print("log-in", *get((user, password)), flush=True)
    for _ in range(3):
        print("request", *get(), flush=True)
    print("idle", flush=True)
    sys.stdin.readline()
    print("expired", *get(), flush=True)
    print("log-in", *get((user, password)), flush=True)
    print("request", *get(), flush=True)
    print("log-out", *get((user, password), prefer=None), flush=True)
