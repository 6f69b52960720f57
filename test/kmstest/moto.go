package kmstest

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

//go:embed launch_moto.py
var launcher string

// Moto is a running moto server. It fails the test when moto does.
type Moto struct {
	URL string
	t   testing.TB
}

var _ Server = (*Moto)(nil)

// StartMoto runs moto until the test ends, with $FROSTFLEET_PYTHON.
func StartMoto(t testing.TB) *Moto {
	t.Helper()
	python := os.Getenv("FROSTFLEET_PYTHON")
	if python == "" {
		t.Fatal(
			"FROSTFLEET_PYTHON does not name a Python with moto: run make test, which installs it (test/requirements.txt)",
		)
	}
	if out, err := exec.Command(python, "-c", "import moto.server, moto.kms").CombinedOutput(); err != nil {
		t.Fatalf("%s has no moto: run make test, which installs it, or %s -m pip install -r test/requirements.txt\n%v\n%s",
			python, python, err, out)
	}
	cmd := exec.Command(python, "-c", launcher)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "AWS_") })
	stdin, err := cmd.StdinPipe() // its end stops moto, even when this process was killed
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := listener{url: make(chan string, 1), ended: make(chan struct{})}
	go l.read(stderr)
	t.Cleanup(func() {
		_ = stdin.Close()
		<-l.ended
		_ = cmd.Wait()
	})
	select {
	case url := <-l.url:
		m := &Moto{URL: url, t: t}
		m.call(Region, "ListKeys", nil) // it answers
		return m
	case <-l.ended:
		t.Fatalf("moto ended before it listened:\n%s", l.before.String())
	case <-time.After(3 * time.Minute):
		t.Fatal("moto did not listen within three minutes")
	}
	return nil
}

// listener reads what moto prints: its address, or why it ended without one.
type listener struct {
	url    chan string
	ended  chan struct{}
	before strings.Builder // until the address; to be read when ended
}

var address = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// read reads on after the address, so that moto never blocks.
func (l *listener) read(stderr io.Reader) {
	defer close(l.ended)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			l.url <- found[1]
			break
		}
		l.before.WriteString(lines.Text() + "\n")
	}
	_, _ = io.Copy(io.Discard, stderr)
}

// Endpoint gives the URL.
func (m *Moto) Endpoint() string { return m.URL }

// CreateKey makes a key.
func (m *Moto) CreateKey(k Key) string {
	m.t.Helper()
	out := m.call(k.region(), "CreateKey", object{"KeySpec": k.Spec, "KeyUsage": k.Usage, "MultiRegion": k.MultiRegion})
	return out["KeyMetadata"].(map[string]any)["Arn"].(string)
}

// CreateAlias makes an alias or moves it.
func (m *Moto) CreateAlias(region, alias, arn string) {
	m.t.Helper()
	operation := "CreateAlias"
	if _, err := Do(m.URL, region, "DescribeKey", object{"KeyId": alias}); err == nil {
		operation = "UpdateAlias"
	}
	m.call(region, operation, object{"AliasName": alias, "TargetKeyId": arn})
}

// Replicate makes a replica of a multi-Region key.
func (m *Moto) Replicate(arn, region string) string {
	m.t.Helper()
	from, resource := splitARN(arn)
	out := m.call(from, "ReplicateKey", object{"KeyId": strings.TrimPrefix(resource, "key/"), "ReplicaRegion": region})
	return out["ReplicaKeyMetadata"].(map[string]any)["Arn"].(string)
}

// Disable switches a key off: DescribeKey says so, Sign works all the same.
func (m *Moto) Disable(arn string) { m.onKey("DisableKey", arn, nil) }

// Enable switches it on.
func (m *Moto) Enable(arn string) { m.onKey("EnableKey", arn, nil) }

// ScheduleDeletion gives it a week.
func (m *Moto) ScheduleDeletion(arn string) {
	m.onKey("ScheduleKeyDeletion", arn, object{"PendingWindowInDays": 7})
}

// Deny puts a key policy that denies the actions to everybody: moto asks it
// for kms:DescribeKey only.
func (m *Moto) Deny(arn string, actions ...string) {
	statement := []object{{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}}
	if len(actions) > 0 {
		statement = append(statement, object{"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*"})
	}
	policy, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statement})
	if err != nil {
		m.t.Fatal(err)
	}
	m.onKey("PutKeyPolicy", arn, object{"PolicyName": "default", "Policy": string(policy)})
}

func (m *Moto) onKey(operation, arn string, more object) {
	m.t.Helper()
	region, resource := splitARN(arn)
	in := object{"KeyId": strings.TrimPrefix(resource, "key/")}
	for name, value := range more {
		in[name] = value
	}
	m.call(region, operation, in)
}

func (m *Moto) call(region, operation string, in object) object {
	m.t.Helper()
	out, err := Do(m.URL, region, operation, in)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}
