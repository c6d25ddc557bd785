"""A Kubernetes cluster without Kubernetes: an API server that refuses what a real one refuses, the controllers of
agent-sandbox and of StatefulSets, and a kubelet whose pods are real processes with loopback addresses of their own.

`async with Cluster(folder, pod_command=…) as cluster: cluster.url`, or `python -m tests.kube --port N …`.
"""
