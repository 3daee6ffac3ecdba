"""oVirt's own Python SDK 4 with a token. Each step is a line on stdout; `idle` waits for a line on stdin."""
import sys
import ovirtsdk4

base, user, password = sys.argv[1:]
try:
    ovirtsdk4.Connection(url=base + "/ovirt-engine/api", username=user, password="wrong").authenticate()
    print("wrong let in", flush=True)
except ovirtsdk4.AuthError:
    print("wrong refused", flush=True)
connection = ovirtsdk4.Connection(url=base + "/ovirt-engine/api", username=user, password=password)
token = connection.authenticate()
print("log-in", 200, token, flush=True)
system = connection.system_service()
print("request", system.get().product_info.name, flush=True)
print("request", *(vm.name for vm in system.vms_service().list()), flush=True)
print("request", connection.test(raise_exception=True), flush=True)
print("idle", flush=True)
sys.stdin.readline()
# The SDK gets itself another token where one has expired.
print("expired", *(vm.name for vm in system.vms_service().list()), connection.authenticate() != token, flush=True)
connection.close()
print("log-out", flush=True)
