//! The manifests of the repository, by the schemas of Kubernetes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::needs;
use crate::server::{Lab, text};

/// The oldest version that has all fields (`preStop.sleep`), and the newest one with schemas.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// Prints the documents of the files as JSON, after it has validated each of them. Strict means
/// that unknown fields are errors.
const VALIDATE: &str = "
import json, sys, kubernetes_validate, yaml
version, documents = sys.argv[1], []
for path in sys.argv[2:]:
    for document in yaml.safe_load_all(open(path)):
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except Exception as error:
            sys.exit(f'{path}: {error}')
        documents.append(document)
json.dump(documents, sys.stdout)
";

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/kubernetes");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

/// The documents, if all are valid.
fn validate(version: &str, files: &[PathBuf]) -> Result<Vec<Value>, String> {
    let mut command = Command::new(needs::kubernetes_python());
    let output = command.args(["-c", VALIDATE, version]).args(files).output().unwrap();
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

fn documents() -> Vec<Value> {
    validate(VERSIONS[1], &files()).unwrap()
}

/// The pods that documents of these kinds start: the whole document, and the pod.
fn pods(documents: &[Value]) -> Vec<(&Value, &Value)> {
    let templates = documents.iter().map(|document| (document, &document["spec"]["template"]));
    templates.filter(|(_, template)| !template.is_null()).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn names(value: &Value) -> Vec<&str> {
    list(value).map(|entry| entry["name"].as_str().unwrap()).collect()
}

pub(crate) fn the_schemas_find_no_fault_in_the_manifests() {
    for version in VERSIONS {
        let documents = validate(version, &files()).unwrap_or_else(|error| panic!("Kubernetes {version}: {error}"));
        let kinds: Vec<&str> = documents.iter().map(|document| document["kind"].as_str().unwrap()).collect();
        for kind in ["ConfigMap", "Job", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "Service", "StatefulSet"]
        {
            assert!(kinds.contains(&kind), "{kind} of {kinds:?}");
        }
    }
    // They find one where there is one: an unknown field, and a value of another type.
    let directory = tempfile::tempdir().unwrap();
    let nodes = files().into_iter().find(|path| path.ends_with("nodes.yaml")).unwrap();
    let manifest = std::fs::read_to_string(nodes).unwrap();
    for (good, bad) in [("minReadySeconds", "minReadyTime"), ("replicas: 3", "replicas: three")] {
        assert!(manifest.contains(good), "{good}");
        let path = directory.path().join("bad.yaml");
        std::fs::write(&path, manifest.replace(good, bad)).unwrap();
        validate(VERSIONS[1], &[path]).unwrap_err();
    }
}

pub(crate) fn what_the_manifests_name_is_there() {
    let documents = documents();
    let labels_of_pods: Vec<&Value> = pods(&documents).iter().map(|(_, pod)| &pod["metadata"]["labels"]).collect();
    for (document, pod) in pods(&documents) {
        let name = document["metadata"]["name"].as_str().unwrap_or("a job");
        let containers = &pod["spec"]["containers"];
        // What the namespace demands (`restricted`) and no schema does.
        assert_eq!(pod["spec"]["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true, "{name}");
        for container in list(containers) {
            assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL", "{name}");
        }
        let volumes = [&pod["spec"]["volumes"], &document["spec"]["volumeClaimTemplates"]];
        let mut there: Vec<&str> = names(volumes[0]);
        there.extend(list(volumes[1]).map(|claim| claim["metadata"]["name"].as_str().unwrap()));
        for container in list(containers) {
            for mount in names(&container["volumeMounts"]) {
                assert!(there.contains(&mount), "{name} mounts {mount}, but has {there:?}");
            }
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let port = &container[probe]["httpGet"]["port"];
                let has_it = port.is_null() || names(&container["ports"]).contains(&port.as_str().unwrap());
                assert!(has_it, "{name}: {probe} asks {port}");
            }
        }
        if document["kind"] == "StatefulSet" {
            assert_eq!(document["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"], "{name}");
            let service = &document["spec"]["serviceName"];
            let is_it = |other: &Value| other["kind"] == "Service" && other["metadata"]["name"] == *service;
            assert_eq!(documents.iter().find(|other| is_it(other)).unwrap()["spec"]["clusterIP"], "None", "{name}");
        }
    }
    for document in documents.iter().filter(|document| document["kind"] == "Service") {
        let (name, spec) = (&document["metadata"]["name"], &document["spec"]);
        let mut selected =
            pods(&documents).into_iter().filter(|(_, pod)| pod["metadata"]["labels"] == spec["selector"]);
        let (_, pod) = selected.next().unwrap_or_else(|| panic!("{name} selects nothing"));
        let ports: Vec<&str> = list(&pod["spec"]["containers"]).flat_map(|one| names(&one["ports"])).collect();
        for port in list(&spec["ports"]) {
            assert!(ports.contains(&port["targetPort"].as_str().unwrap()), "{name}: {port} of {ports:?}");
        }
    }
    for document in documents.iter().filter(|document| document["kind"] == "PodDisruptionBudget") {
        assert!(labels_of_pods.contains(&&document["spec"]["selector"]["matchLabels"]), "{document}");
    }
}

pub(crate) fn the_settings_and_commands_of_the_manifests_are_good() {
    let documents = documents();
    let is_ours = |document: &&Value| document["kind"] == "ConfigMap";
    let settings = documents.iter().find(is_ours).unwrap()["data"]["fiftythree.toml"].as_str().unwrap();
    let lab = Lab::new(&[]);
    let state = lab.path("state").display().to_string();
    assert!(settings.contains("/etc/fiftythree-secret/cluster.secret"), "{settings}");
    let settings = settings.replace("/var/lib/fiftythree", &state).replace("/etc/fiftythree-secret/", "");
    lab.write("fiftythree.toml", &settings);
    lab.write("cluster.secret", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==");
    std::fs::set_permissions(lab.path("cluster.secret"), Permissions::from_mode(0o600)).unwrap();
    std::fs::create_dir_all(lab.path("state/zones")).unwrap();
    let check = lab.command(&["check"]).env("FIFTYTHREE_CLUSTER_NODE", "fiftythree-0").output().unwrap();
    assert!(check.status.success(), "{}{}", text(&check.stdout), text(&check.stderr));
    let nameless = lab.run(&["check"]);
    assert!(!nameless.status.success(), "the name of the node is in the environment, not in the file");
    let mut commands = 0;
    for (_, pod) in pods(&documents) {
        let containers = list(&pod["spec"]["containers"]);
        for container in containers.filter(|one| one["image"].as_str().unwrap().starts_with("fiftythree:")) {
            assert_eq!(container["image"], format!("fiftythree:{}", env!("CARGO_PKG_VERSION")));
            let variables = names(&container["env"]);
            assert!(variables.contains(&"FIFTYTHREE_CLUSTER_NODE"), "{variables:?}");
            let mut arguments: Vec<&str> =
                list(&container["args"]).map(|argument| argument.as_str().unwrap()).collect();
            arguments.push("--help");
            let output = lab.run(&arguments);
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
            commands += 1;
        }
    }
    assert_eq!(commands, 2);
}
