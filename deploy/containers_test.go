package deploy_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// yamlOf reads the documents of a YAML file.
func yamlOf(t *testing.T, file string) []map[string]any {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	var all []map[string]any
	for d := yaml.NewDecoder(f); ; {
		var one map[string]any
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
}

// at follows keys, and the first entry of each list.
func at(v any, keys ...string) any {
	for _, key := range keys {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// What the compose files mount from the repository is there, no image changes under
// its name, and no container may do what it need not.
func TestCompose(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"compose/minimal.yaml", "compose/compose.yaml"} {
		services, ok := at(yamlOf(t, file)[0], "services").(map[string]any)
		if !ok {
			t.Fatalf("%s has no services", file)
		}
		for name, service := range services {
			for _, volume := range at(service, "volumes").([]any) {
				source, _, _ := strings.Cut(volume.(string), ":")
				mine := slices.Contains([]string{"./config.yaml", "./dovecot", "./mail", "./work.password"}, source) // the reader's
				if strings.HasPrefix(source, ".") && !mine {
					if _, err := os.Stat(filepath.Join("compose", source)); err != nil {
						t.Errorf("%s: %s mounts %s: %v", file, name, source, err)
					}
				}
			}
		}
		for name, service := range services {
			if at(service, "read_only") != true || !has(at(service, "cap_drop"), "ALL") || !has(at(service, "security_opt"), "no-new-privileges:true") {
				t.Errorf("%s: %s may do too much: %v", file, name, service)
			}
			if image, _ := at(service, "image").(string); name != "mailpull" && !exactImage.MatchString(image) {
				t.Errorf("%s: %s is no image of one version", file, image)
			}
		}
		m := services["mailpull"]
		if at(m, "user") != "65532:65532" {
			t.Errorf("%s: mailpull is another user than its image's: %v", file, m)
		}
		dockerfile, _ := at(m, "build", "dockerfile").(string)
		if _, err := os.Stat(filepath.Join("..", dockerfile)); err != nil || dockerfile == "" {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// exactImage is an image with all of its version.
var exactImage = regexp.MustCompile(`:v?[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?$`)

func has(list any, want string) bool {
	values, _ := list.([]any)
	return slices.Contains(values, any(want))
}

// Every pod is one that the restricted standard of Kubernetes admits, and the
// probes ask for what the daemon answers.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	pods := map[string]any{
		"deployment": at(yamlOf(t, "kubernetes/deployment.yaml")[0], "spec", "template", "spec"),
		"cronjob":    at(yamlOf(t, "kubernetes/cronjob.yaml")[0], "spec", "jobTemplate", "spec", "template", "spec"),
		"fleet":      at(yamlOf(t, "kubernetes/statefulset.yaml")[0], "spec", "template", "spec"),
		"sidecar":    at(yamlOf(t, "kubernetes/sidecar.yaml")[0], "spec", "template", "spec"),
	}
	for name, pod := range pods {
		if at(pod, "securityContext", "runAsNonRoot") != true || at(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault" ||
			at(pod, "automountServiceAccountToken") != false || at(pod, "enableServiceLinks") != false {
			t.Errorf("%s: %v", name, pod)
		}
		containers, _ := at(pod, "containers").([]any)
		more, _ := at(pod, "initContainers").([]any)
		for _, c := range append(containers, more...) {
			if at(c, "securityContext", "allowPrivilegeEscalation") != false || at(c, "securityContext", "readOnlyRootFilesystem") != true || !has(at(c, "securityContext", "capabilities", "drop"), "ALL") {
				t.Errorf("%s: %v", name, c)
			}
		}
		mustHaveVolumes(t, name, pod, append(containers, more...))
	}
	daemon := at(pods["deployment"], "containers")
	if at(daemon, "livenessProbe", "httpGet", "path") != "/-/healthy" || at(daemon, "readinessProbe", "httpGet", "path") != "/-/ready" {
		t.Errorf("got %v", daemon)
	}
	deployment := yamlOf(t, "kubernetes/deployment.yaml")[0]
	if at(deployment, "spec", "replicas") != 1 || at(deployment, "spec", "strategy", "type") != "Recreate" {
		t.Error("two daemons would want one state folder")
	}
	fleet := yamlOf(t, "kubernetes/statefulset.yaml")[0]
	replicas := at(fleet, "spec", "replicas")
	if args := at(pods["fleet"], "containers", "args"); !has(args, fmt.Sprintf("$(POD_INDEX)/%v", replicas)) {
		t.Errorf("%v replicas, and the arguments are %v", replicas, args)
	}
	if at(yamlOf(t, "kubernetes/cronjob.yaml")[0], "spec", "concurrencyPolicy") != "Forbid" {
		t.Error("runs would overlap")
	}
	if at(pods["sidecar"], "initContainers", "restartPolicy") != "Always" {
		t.Error("the sidecar would keep its job from beginning")
	}
}

// mustHaveVolumes wants each mount to have its volume, and each volume its object.
func mustHaveVolumes(t *testing.T, name string, pod any, containers []any) {
	t.Helper()
	objects := make(map[any]bool)
	for _, d := range yamlOf(t, "kubernetes/config.yaml") {
		objects[at(d, "metadata", "name")] = true
	}
	volumes := make(map[any]bool)
	for _, v := range at(pod, "volumes").([]any) {
		volumes[at(v, "name")] = true
		for _, object := range []any{at(v, "configMap", "name"), at(v, "secret", "secretName"), at(v, "persistentVolumeClaim", "claimName")} {
			if object != nil && !objects[object] {
				t.Errorf("%s: %v is not in config.yaml", name, object)
			}
		}
	}
	for _, c := range containers {
		for _, m := range at(c, "volumeMounts").([]any) {
			if !volumes[at(m, "name")] {
				t.Errorf("%s: there is no volume %v", name, at(m, "name"))
			}
		}
	}
}

// The image has a user that is not root, and asks the program itself how it is. It
// is built by the Go of go.mod, and from what it needs: an archive and passwords
// beside a sample stay where they are.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"FROM scratch", "USER 65532:65532", `ENTRYPOINT ["/mailpull"]`, `CMD ["daemon"]`} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(read(t, "../go.mod"))
	if toolchain == nil || !strings.Contains(string(text), "\nFROM golang:"+toolchain[1]+" AS build\n") {
		t.Errorf("the image is not built by the toolchain of go.mod, %q", toolchain)
	}
	if !slices.Contains(strings.Split(read(t, "../.dockerignore"), "\n"), "deploy") {
		t.Error("a build would read what lies in deploy")
	}
	if !strings.Contains(string(text), `CMD ["/mailpull", "health"]`) || !strings.Contains(string(text), "CGO_ENABLED=0") {
		t.Error("the image is not static, or has no check of its health")
	}
}
