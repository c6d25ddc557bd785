// Validate the resources of Google and of the Gateway API in rendered manifests against their own schemas.
// usage: node custom_resources.cjs FILE …   Exit 1: something is wrong, or there was nothing to check.
const fs = require("node:fs");
const path = require("node:path");
const { parseAllDocuments } = require("yaml");

const PACKAGES = {
  "cloud.google.com": "@kubernetes-models/gke",
  "networking.gke.io": "@kubernetes-models/gke",
  "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
};

// Their schemas are open: a misspelt field would pass as one that is not there. What the validator never reads, no schema names.
function watched(value, at, unread) {
  if (typeof value !== "object" || value === null) return value;
  const children = Array.isArray(value) ? [] : {};
  for (const key of Object.keys(value)) {
    const where = `${at}.${key}`;
    unread.add(where);
    children[key] = watched(value[key], where, unread);
  }
  return new Proxy(children, {
    get(target, key) {
      unread.delete(`${at}.${String(key)}`);
      return target[key];
    },
  });
}

// The function behind Model.validate(), which would copy the resource first. The two packages keep it in different places.
function validator(group, version, kind) {
  const name = `${group}.${version}.${kind}`;
  const Name = name.split(/[.-]/).map((part) => part[0].toUpperCase() + part.slice(1)).join("");
  const file = path.join(path.dirname(require.resolve(PACKAGES[group])), "_schemas", `${Name}.js`);
  if (fs.existsSync(file)) return require(file).validate;
  return (resource) => require("@kubernetes-models/validate").validate(name, resource);
}

function complaints({ apiVersion, kind, metadata, ...rest }) {
  const [group, version] = apiVersion.split("/");
  const Model = require(`${PACKAGES[group]}/${group}/${version}`)[kind];
  if (!Model) return [`no schema for ${apiVersion} ${kind}`];
  try {
    new Model({ metadata, ...rest }).validate();
  } catch (error) {
    return [error.message];
  }
  const unread = new Set();
  validator(group, version, kind)({ apiVersion, kind, metadata, spec: watched(rest.spec, "spec", unread) });
  return [...unread].map((field) => `${field} is in no schema`);
}

let checked = 0;
let wrong = 0;
for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(fs.readFileSync(file, "utf8"))) {
    const resource = document.toJS();
    if (!resource || !(resource.apiVersion.split("/")[0] in PACKAGES)) continue;
    checked += 1;
    for (const said of complaints(resource)) {
      wrong += 1;
      console.error(`${file}: ${resource.kind} ${resource.metadata.name}: ${said}`);
    }
  }
}
console.log(`${checked} custom resources of Google and the Gateway API checked`);
process.exit(wrong || !checked ? 1 : 0);
