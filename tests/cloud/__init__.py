"""The whole platform as a cluster runs it, on loopback: several webs and gateways behind a real HAProxy, Firestore's
emulator, a Secret Manager and a Kubernetes of our tests, whose pods are real runners that start the real CLI.
"""
