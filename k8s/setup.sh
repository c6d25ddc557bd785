#!/bin/bash
# From an empty Google Cloud project to one that .github/workflows/deploy.yml can deploy into. Repeat it as often as you
# like: what is there stays as it is.                          usage: GITHUB_REPOSITORY=owner/name k8s/setup.sh [PART …]
# Parts, all without one: services registry nodes cluster traces database address identities github rights secrets.
# `secrets` needs no Google, only kubectl: it is all that overlays/minimal takes from here.
set -euo pipefail
cd "$(dirname "$0")/.."

PROJECT=${PROJECT:-ai-agent-platform-469401}
REGION=${REGION:-asia-northeast3}
CLUSTER=${CLUSTER:-ai-agent-cluster}
DOMAIN=${DOMAIN:-oh-my-agent.info}
DNS_ZONE=${DNS_ZONE:-oh-my-agent-info}
ADDRESS=ai-agent-ip
SSL_POLICY=ai-agent-ssl-policy
REGISTRY=oh-my-agent
DEPLOYER=deployer@$PROJECT.iam.gserviceaccount.com
SETTINGS=k8s/overlays/production/settings.env

cloud() { gcloud --project "$PROJECT" --quiet "$@"; }
there() { cloud "$@" >/dev/null 2>&1; }
number() { cloud projects describe "$PROJECT" --format 'value(projectNumber)'; }
grant() { # grant MEMBER ROLE [CONDITION]
  cloud projects add-iam-policy-binding "$PROJECT" --member "$1" --role "$2" --condition "${3:-None}" --format none
}

services() {
  cloud services enable aiplatform.googleapis.com artifactregistry.googleapis.com cloudresourcemanager.googleapis.com \
    cloudtrace.googleapis.com compute.googleapis.com container.googleapis.com dns.googleapis.com firestore.googleapis.com \
    gkebackup.googleapis.com iam.googleapis.com iamcredentials.googleapis.com secretmanager.googleapis.com sts.googleapis.com \
    telemetry.googleapis.com
}

registry() {
  there artifacts repositories describe "$REGISTRY" --location "$REGION" ||
    cloud artifacts repositories create "$REGISTRY" --location "$REGION" --repository-format docker
  # every build is 424 MB; tags may be deleted with them, so they are not immutable: what is deployed is a digest
  cloud artifacts repositories set-cleanup-policies "$REGISTRY" --location "$REGION" --policy k8s/registry-cleanup.json --no-dry-run
}

# The machines are the project's default Compute account. An organisation of after May 2024 gives it no role at all: no
# image would be pulled then, and no log or metric would come out.
nodes() {
  local nodes
  nodes="serviceAccount:$(number)-compute@developer.gserviceaccount.com"
  grant "$nodes" roles/container.defaultNodeServiceAccount
  cloud artifacts repositories add-iam-policy-binding "$REGISTRY" --location "$REGION" --role roles/artifactregistry.reader \
    --member "$nodes" --format none
}

cluster() {
  there container clusters describe "$CLUSTER" --location "$REGION" ||
    cloud beta container clusters create-auto "$CLUSTER" --location "$REGION" --release-channel rapid \
      --enable-agent-sandbox --enable-dns-access --enable-backup-restore
  cloud container clusters get-credentials "$CLUSTER" --location "$REGION" --dns-endpoint
  # a cluster that was there before may be without it, or too old: nothing that is applied later would say that so plainly
  kubectl get --raw /apis/extensions.agents.x-k8s.io/v1beta1 >/dev/null 2>&1 ||
    echo "$CLUSTER does not offer agent-sandbox v1beta1 (yet): GKE 1.36.3-gke.1767000 or newer with the add-on Agent Sandbox" >&2
}

# Google's collector in the cluster, which the production overlay sends spans to: OTEL_EXPORTER_OTLP_ENDPOINT
traces() {
  cloud container clusters update "$CLUSTER" --location "$REGION" --managed-otel-scope COLLECTION_AND_INSTRUMENTATION_COMPONENTS
  grant "serviceAccount:$(number)-compute@developer.gserviceaccount.com" roles/telemetry.tracesWriter
}

database() {
  there firestore databases describe --database '(default)' ||
    cloud firestore databases create --location "$REGION" --type firestore-native --enable-pitr --delete-protection
  [ -n "$(cloud firestore backups schedules list --database '(default)' --format 'value(name)')" ] ||
    cloud firestore backups schedules create --database '(default)' --recurrence daily --retention 14d
  local command said
  python3 scripts/firestore-indexes "$PROJECT" | while IFS= read -r command; do
    said=$(sh -c "$command" 2>&1 </dev/null) || [[ ${said,,} == *already?exists* ]] || { echo "$command: $said" >&2; exit 1; }
  done
}

address() {
  there compute addresses describe "$ADDRESS" --global || cloud compute addresses create "$ADDRESS" --global
  there compute ssl-policies describe "$SSL_POLICY" --global ||
    cloud compute ssl-policies create "$SSL_POLICY" --global --profile MODERN --min-tls-version 1.2
  local ip name
  ip=$(cloud compute addresses describe "$ADDRESS" --global --format 'value(address)')
  sed -i "/^OMA_TRUSTED_PROXIES=/s/203\.0\.113\.10/$ip/" "$SETTINGS"
  there dns managed-zones describe "$DNS_ZONE" ||
    cloud dns managed-zones create "$DNS_ZONE" --dns-name "$DOMAIN." --description 'Oh My Agent'
  for name in "$DOMAIN." "app.$DOMAIN."; do
    there dns record-sets describe "$name" --type A --zone "$DNS_ZONE" ||
      cloud dns record-sets create "$name" --type A --ttl 300 --rrdatas "$ip" --zone "$DNS_ZONE"
  done
  echo "The address $ip stands in $SETTINGS now: commit it."
}

# role NAME PERMISSION,…: what our code asks for and nothing else; brought up to date if it is there
role() {
  if there iam roles describe "$1" --project "$PROJECT"; then
    cloud iam roles update "$1" --project "$PROJECT" --permissions "$2" --format none
  else
    cloud iam roles create "$1" --project "$PROJECT" --permissions "$2" --format none
  fi
}

# Workload Identity: the pods' Kubernetes accounts are granted by name; no key files, no Google accounts between.
identities() {
  local pool web gateway ours
  pool="principal://iam.googleapis.com/projects/$(number)/locations/global/workloadIdentityPools/$PROJECT.svc.id.goog"
  web=$pool/subject/ns/oh-my-agent/sa/web
  gateway=$pool/subject/ns/oh-my-agent/sa/gateway
  ours="expression=resource.name.startsWith('projects/$(number)/secrets/oma-user-'),title=user-secrets"
  role omaSecretMaker secretmanager.secrets.create # asked of the project: no condition on a name can hold there
  role omaSecretKeeper secretmanager.secrets.get,secretmanager.secrets.update,secretmanager.secrets.delete,secretmanager.versions.add,secretmanager.versions.access,secretmanager.versions.list,secretmanager.versions.destroy
  role omaSecretReader secretmanager.secrets.get,secretmanager.versions.access
  role omaModelCaller aiplatform.endpoints.predict # messages and counted tokens, with OMA_MODEL=vertex
  grant "$web" roles/datastore.user
  grant "$web" "projects/$PROJECT/roles/omaSecretMaker"
  grant "$web" "projects/$PROJECT/roles/omaSecretKeeper" "$ours"
  grant "$gateway" roles/datastore.user
  grant "$gateway" "projects/$PROJECT/roles/omaSecretReader" "$ours"
  grant "$gateway" "projects/$PROJECT/roles/omaModelCaller"
}

# GitHub signs in with its own tokens, from this repository's main branch alone.
github() {
  local repository pool account=$DEPLOYER
  repository=${GITHUB_REPOSITORY:?say GITHUB_REPOSITORY=owner/name}
  there iam service-accounts describe "$account" || cloud iam service-accounts create deployer --display-name 'GitHub deploys'
  there iam workload-identity-pools describe github --location global ||
    cloud iam workload-identity-pools create github --location global
  there iam workload-identity-pools providers describe github --location global --workload-identity-pool github ||
    cloud iam workload-identity-pools providers create-oidc github --location global --workload-identity-pool github \
      --issuer-uri https://token.actions.githubusercontent.com \
      --attribute-mapping google.subject=assertion.sub,attribute.repository=assertion.repository \
      --attribute-condition "assertion.repository == '$repository' && assertion.ref == 'refs/heads/main'"
  pool=projects/$(number)/locations/global/workloadIdentityPools/github
  cloud iam service-accounts add-iam-policy-binding "$account" --role roles/iam.workloadIdentityUser \
    --member "principalSet://iam.googleapis.com/$pool/attribute.repository/$repository" --format none
  # to make itself an access token for the registry; on itself, nothing else
  cloud iam service-accounts add-iam-policy-binding "$account" --role roles/iam.serviceAccountTokenCreator \
    --member "serviceAccount:$account" --format none
  cloud artifacts repositories add-iam-policy-binding "$REGISTRY" --location "$REGION" --role roles/artifactregistry.writer \
    --member "serviceAccount:$account" --format none
  # to find the cluster and speak to its API; what it may there is overlays/production/deployer.yaml
  role omaClusterVisitor container.clusters.get,container.clusters.list,container.clusters.connect
  grant "serviceAccount:$account" "projects/$PROJECT/roles/omaClusterVisitor"
  echo "GitHub, settings, secrets and variables, actions, repository variables:"
  echo "  GCP_WORKLOAD_IDENTITY_PROVIDER=$pool/providers/github"
  echo "  GCP_SERVICE_ACCOUNT=$account"
}

# What a deploy may not change: namespaces, roles and their bindings.
rights() {
  kubectl kustomize k8s/overlays/production |
    kubectl apply --server-side --field-manager setup --selector oh-my-agent.info/applied-by=setup --filename -
}

# secret NAMESPACE NAME, key=value lines on stdin: kept if it is there. Values never stand in an argument.
secret() {
  if kubectl --namespace "$1" get secret "$2" >/dev/null 2>&1; then cat >/dev/null; return; fi
  kubectl --namespace "$1" create secret generic "$2" --from-env-file /dev/stdin
}

ask() { # ask VARIABLE QUESTION: from the environment, else from the terminal, without showing it
  [ -n "${!1:-}" ] || { read -rsp "$2: " "${1?}"; echo; }
}

secrets() {
  ask OIDC_CLIENT_ID "OAuth client id (redirect address https://$DOMAIN/auth/callback)"
  ask OIDC_CLIENT_SECRET 'OAuth client secret'
  ask ANTHROPIC_API_KEY 'Anthropic API key (empty with OMA_MODEL=vertex)'
  local session boot
  session=$(kubectl --namespace oh-my-agent get secret web --output 'jsonpath={.data.session-secret}' 2>/dev/null | base64 --decode || true)
  session=${session:-$(openssl rand -hex 32)}
  boot=$(kubectl --namespace agents get secret runner-boot --output 'jsonpath={.data.boot-key}' 2>/dev/null | base64 --decode || true)
  boot=${boot:-$(openssl rand -hex 32)}
secret oh-my-agent web <<EOF
session-secret=$session
oidc-client-id=$OIDC_CLIENT_ID
oidc-client-secret=$OIDC_CLIENT_SECRET
EOF
secret oh-my-agent gateway <<EOF
session-secret=$session
anthropic-api-key=${ANTHROPIC_API_KEY:-}
EOF
secret oh-my-agent runner-boot <<EOF
boot-key=$boot
EOF
secret agents runner-boot <<EOF
boot-key=$boot
EOF
}

parts=(services registry nodes cluster traces database address identities github rights secrets)
for part in "${@:-${parts[@]}}"; do
  [[ " ${parts[*]} " == *" $part "* ]] || { echo "no part '$part': ${parts[*]}" >&2; exit 2; }
  echo "== $part"
  "$part"
done
