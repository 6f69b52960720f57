package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/test/commandtest"
)

const (
	oneKey  = "9535a7b72a0b6fd05355f9901cd86449.0"
	oneJob  = "0198c0de-7a10-7cc3-98c4-dc0c0c07398f"
	badJob  = "0198c0de-7a10-7cc3-98c4-dc0c0c073990"
	waitJob = "0198c0de-7a10-7cc3-98c4-dc0c0c073991"
	address = "bcrt1p9n5fjd2mdku2nms7rfax984ptwrqj4af36vzf4cs0dtrarfwn0nslwrp9s"
	keyJSON = `{"id":"` + oneKey +
		`","client":"client0","chain":"bitcoin","public_key":"02aa","chain_code":"bb","address":"` +
		address + `","descriptor":"tr(d)","xpub":"tpubX","job":"` + oneJob + `","generation":0,` +
		`"created":"2026-01-02T03:04:05Z","label":"old\u001b[2J","metadata":{"a":"1","b":"2"}}`
	fleetJSON = `{"fleet":"dev","network":"regtest","manifest":"22bd","n":3,"t":2,"epochs":[1,2],"version":"v1","ready":false,
		"reason":"it reads KEYS","gateways":["gateway0","gateway1"],"nodes":[
		{"index":0,"generation":1,"name":"worker-0","present":true,"load":0,"backlog":0},
		{"index":0,"generation":2,"name":"worker-0","present":%t,"since":"2026-01-02T03:04:05Z","lag":1.4,"host":"vm",
		"version":"v1","load":1,"backlog":2,"policy":"0123456789abcdef","twins":1},
		{"index":1,"generation":2,"name":"worker-1","present":true,"load":0,"backlog":0},
		{"index":2,"generation":2,"name":"worker-2","present":false,"load":0,"backlog":0}],
		"demand":{"queued":3,"longest":2.5},"resharing":{"to":"abcd","done":5,"total":9,"paused":true},"freezes":1}`
)

func jobJSON(id, status, more string) string {
	return `{"id":"` + id + `","client":"client0","kind":"keygen","status":"` + status +
		`","count":3,"done":2,"created":"2026-01-02T03:04:05Z","label":""` + more + `}`
}

// fake is a gateway that answers as docs/http.md has it, and no more than these tests need.
type fake struct {
	t       *testing.T
	asked   []string // method, path and query
	bodies  []string
	present bool // enough nodes
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer ff_secret" {
		f.problem(w, 401, "unauthorized")
		return
	}
	f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
	body := bufio.NewScanner(r.Body)
	for body.Scan() {
		f.bodies = append(f.bodies, body.Text())
	}
	answer := func(kind, text string) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, text)
	}
	denied := jobJSON(badJob, "denied",
		`,"ended":"2026-01-02T03:04:06Z","code":"policy_denied","error":"rule\u001b[2J says no"`)
	switch path := r.URL.Path; {
	case path == "/v1/keys" && r.URL.Query().Get("label") == "none":
		answer("application/json", `{"keys":[]}`)
	case path == "/v1/keys":
		answer("application/json", `{"keys":[`+keyJSON+`,`+keyJSON+`]}`)
	case path == "/v1/keys/"+oneKey:
		answer("application/json", keyJSON)
	case path == "/v1/keys/"+oneKey+"/descriptor":
		answer("application/json", `{"descriptor":"tr(both)","receive":"tr(0)","change":"tr(1)","xpub":"tpubX"}`)
	case path == "/v1/addresses/"+address:
		answer("application/json", `{"address":"`+address+`","path":"","key":`+keyJSON+`}`)
	case path == "/v1/keys/export" && r.URL.Query().Get("label") == "cut":
		answer("application/x-ndjson", keyJSON+"\n")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case path == "/v1/keys/export" && r.URL.Query().Get("format") == "csv":
		answer("text/csv; charset=utf-8", "id\na\nb\n")
	case path == "/v1/keys/export":
		answer("application/x-ndjson", keyJSON+"\n")
	case path == "/v1/jobs":
		answer("application/json", `{"jobs":[`+jobJSON(oneJob, "accepted", "")+`,`+denied+`]}`)
	case path == "/v1/jobs/"+oneJob:
		answer("application/json", jobJSON(oneJob, "done", ""))
	case path == "/v1/jobs/"+oneJob+"/events":
		answer("text/event-stream", "event: job\nid: 1\ndata: "+jobJSON(oneJob, "accepted",
			"")+"\n\nevent: job\nid: 2\ndata: "+
			jobJSON(oneJob, "done", `,"ended":"2026-01-02T03:04:06Z"`)+"\n\n")
	case path == "/v1/jobs/"+badJob+"/events":
		answer("text/event-stream", "event: job\nid: 1\ndata: "+denied+"\n\n")
	case path == "/v1/jobs/"+waitJob+"/events":
		answer("text/event-stream", "event: job\nid: 1\ndata: "+jobJSON(waitJob, "pending", "")+"\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case path == "/v1/jobs/"+oneJob+"/result":
		answer("application/json", `{"job":"`+oneJob+`","kind":"keygen","status":"done","keys":[{"id":"`+oneKey+
			`","address":"`+address+`"}]}`)
	case path == "/v1/fleet":
		answer("application/json", fmt.Sprintf(fleetJSON, f.present))
	default:
		f.problem(w, 404, "not_found")
	}
}

func (f *fake) problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w,
		`{"type":"urn:frostfleet:problem:%[1]s","status":%[2]d,"code":%[1]q,"detail":"the detail","request_id":"r1"}`, code, status)
}

// newFake runs one, which the environment names, in an empty folder.
func newFake(t *testing.T) *fake {
	t.Helper()
	t.Chdir(t.TempDir())
	f := &fake{t: t, present: true}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	if err := os.WriteFile("token", []byte("ff_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FROSTCTL_CONFIG", "")
	t.Setenv(envURL, server.URL)
	t.Setenv(envToken, "token")
	return f
}

// TestGatewayCommands: what each asks, prints and exits with.
func TestGatewayCommands(t *testing.T) {
	f := newFake(t)
	for _, tt := range []struct {
		args   string
		code   int
		stdout string // part of it
		stderr string
		asked  string // last question
	}{
		{"keys list --label x --since 2026-01-31 --limit 1", 0, oneKey + "  bitcoin  " + address +
			"  old[2J  2026-01-02T03:04:05Z\n",
			"there are more", "GET /v1/keys?label=x&limit=2&since=2026-01-31T00%3A00%3A00Z"},
		{"keys list --all --chain bitcoin --text t --job " + oneJob, 0, "KEY ", "",
			"GET /v1/keys?chain=bitcoin&job=" + oneJob + "&limit=1000&text=t"},
		{"keys list --label none", 0, "", "no such key", ""},
		{"keys list --label none --json", 0, "", `{"note":"no such key"}`, ""},
		{"keys show " + oneKey, 0, "descriptor  tr(d)\n", "", "GET /v1/keys/" + oneKey},
		{"keys show " + address, 0, "metadata    b=2\n", "", "GET /v1/addresses/" + address},
		{"keys show 9535a7b72a0b6fd05355f9901cd86449.7", exitError, "", "404 not_found: the detail (request r1)", ""},
		{"keys label " + oneKey + " --label new --metadata b= --metadata c=3", 0, "key " + oneKey + ": ", "",
			"PATCH /v1/keys/" + oneKey},
		{"keys label --job " + oneJob + " --metadata x=y=z", 0, "job " + oneJob + ": no label", "", "PATCH /v1/jobs/" +
			oneJob},
		{"keys export", 0, oneKey, "", "GET /v1/keys/export?format=ndjson"},
		{"keys export --label cut", exitError, oneKey, "ends too early", ""},
		{"keys descriptor --key " + oneKey, 0, "tr(both)\n", "nothing here proves it", ""},
		{"keys descriptor --split --key " + oneKey, 0, "tr(0)\ntr(1)\n", "--keys FILE", ""},
		{"keys xpub --key " + oneKey, 0, "tpubX\n", "nothing here proves it", ""},
		{"jobs list", 0, "2026-01-02T03:04:06Z  " + badJob +
			"  keygen  denied    2       policy_denied  rule[2J says no\n", "",
			"GET /v1/jobs?limit=101"},
		{"jobs list --kind sign --status failed --limit 1", 0, oneJob, "there are more",
			"GET /v1/jobs?kind=sign&limit=2&status=failed"},
		{"jobs watch " + oneJob, 0, "2026-01-02T03:04:05Z  " + oneJob + "  keygen  accepted  2 of 3\n", "", ""},
		{"jobs watch " + badJob, exitRefused, "denied  2 of 3  policy_denied: rule", "policy_denied", ""},
		{"jobs watch " + waitJob + " --timeout 1s", exitTimeout, "pending", "waits for approvals", ""},
		{"jobs watch --timeout 1s --every 50ms", 0, oneJob, "", ""},
		{"jobs result " + oneJob, 0, oneKey + "\t" + address + "\n", "nothing here proves it", "GET /v1/jobs/" + oneJob +
			"/result"},
		{"jobs result " + badJob, exitTimeout, "", "no result is stored", ""},
		{"fleet status", 0, "fleet dev on regtest: 2 of 3 sign, 2 are present\n", "", "GET /v1/fleet"},
	} {
		stdout, stderr, code := call(t, "", strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || (tt.stdout == "") != (stdout == "") ||
			!strings.Contains(stderr, tt.stderr) || (tt.stderr == "") != (stderr == "") {
			t.Errorf("%s: exit code %d, printed %q, said %q; want %d, %q and %q", tt.args, code, stdout, stderr, tt.code,
				tt.stdout,
				tt.stderr)
		}
		if tt.asked != "" && f.asked[len(f.asked)-1] != tt.asked {
			t.Errorf("%s asked %s, want %s", tt.args, f.asked[len(f.asked)-1], tt.asked)
		}
		commandtest.Plain(t, stderr)
		if strings.Contains(stdout+stderr, "\x1b") {
			t.Errorf("%s: words of others work the terminal: %q", tt.args, stdout+stderr)
		}
	}
	want := []string{`{"label":"new","metadata":{"a":"1","c":"3"}}`, `{"label":"","metadata":{"x":"y=z"}}`}
	if !slices.Equal(f.bodies, want) {
		t.Errorf("said %q, want %q", f.bodies, want)
	}
}

// TestFleetStatusTooFew: nodes of the newest manifest count, and there are too few.
func TestFleetStatusTooFew(t *testing.T) {
	f := newFake(t)
	f.present = false
	stdout, stderr, code := call(t, "", "fleet", "status")
	if code != exitTooFew || !strings.Contains(stdout, "1 are present") || !strings.Contains(stderr,
		"1 of 3, and it takes 2") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

// TestJSONLines: with --json every line of both outputs is an object, whatever happens.
func TestJSONLines(t *testing.T) {
	newFake(t)
	for _, args := range []string{
		"keys list", "keys list --limit 1", "keys list --label none", "keys show " + oneKey,
		"keys show 9535a7b72a0b6fd05355f9901cd86449.7", "keys label " + oneKey + " --label l", "keys label " + oneKey,
		"keys export", "keys export --label cut", "keys export --out keys.out", "keys export --out token",
		"keys descriptor --key " + oneKey, "keys xpub --key " + oneKey, "jobs list", "jobs watch " + oneJob,
		"jobs watch " + badJob,
		"jobs watch " + waitJob + " --timeout 500ms", "jobs result " + oneJob, "jobs result " + badJob, "fleet status",
		"exit-codes",
		"fleet nonsense", "keys", "keygen --chain dogecoin", "check --config none.toml", "verify --keys none", "man pages",
		"addresses --key " + oneKey + " --count 1", "tx show none", "approve none --approver a --approver-key b",
	} {
		stdout, stderr, code := call(t, "", strings.Fields("--json "+args)...)
		for _, output := range []string{stdout, stderr} {
			for line := range strings.Lines(output) {
				var object map[string]any
				if err := json.Unmarshal([]byte(line), &object); err != nil {
					t.Errorf("%s: %v in %q", args, err, line)
				}
			}
		}
		var failure struct {
			Error string
			Code  int `json:"exit_code"`
		}
		last := stderr[strings.LastIndexByte(strings.TrimSuffix(stderr, "\n"), '\n')+1:]
		if code != 0 && (json.Unmarshal([]byte(last), &failure) != nil || failure.Error == "" || failure.Code != code) {
			t.Errorf("%s: exit code %d, and %q", args, code, last)
		}
	}
}

// TestExportFile: what is cut off is no file, and one that is there stays.
func TestExportFile(t *testing.T) {
	newFake(t)
	if _, stderr, code := call(t, "", "keys", "export", "--label", "cut", "--out", "cut.jsonl"); code != exitError {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if stdout, stderr, code := call(t, "", "keys", "export", "--format", "csv", "-o", "keys.csv"); code != 0 ||
		stdout != "2 keys are in keys.csv\n" {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if _, stderr, code := call(t, "", "keys", "export", "--out", "keys.csv"); code != exitError ||
		!strings.Contains(stderr, "keys.csv exists and is not overwritten") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	entries, err := os.ReadDir(".")
	if err != nil || len(entries) != 2 { // the token, and keys.csv
		t.Errorf("%v, %v", entries, err)
	}
	if text, err := os.ReadFile("keys.csv"); err != nil || string(text) != "id\na\nb\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestGatewayUsage: what is wrong with the command line is said before anybody is asked.
func TestGatewayUsage(t *testing.T) {
	f := newFake(t)
	for args, says := range map[string]string{
		"keys list --chain dogecoin":  "use bitcoin or solana",
		"keys list --limit 0":         "--limit 0",
		"keys list --limit 1 --all":   "all limit",
		"keys list --since yesterday": "--since",
		"keys list --job x":           "not the id of a job",
		"keys show 1":                 "neither the id of a key nor an address",
		"keys label " + oneKey:        "nothing to say",
		"keys label " + oneKey + " --job " + oneJob + " --label x": "one of them",
		"keys label --label x":                                    "one of them",
		"keys label " + oneKey + " --metadata x":                  "NAME=VALUE",
		"keys label " + oneKey + " --metadata x=1 --metadata x=2": "each name once",
		"keys export --format xml":                                "ndjson or csv",
		"keys descriptor --key " + oneKey + " --account 1":        "needs the keys file",
		"jobs list --kind x":                                      "keygen or sign",
		"jobs list --status x":                                    "accepted, pending",
		"jobs watch x":                                            "not the id of a job",
		"jobs watch --every 0s":                                   "--every",
		"fleet status --every=-1s":                                "--every",
	} {
		if stdout, stderr, code := call(t, "", strings.Fields(args)...); code != exitUsage || stdout != "" ||
			!strings.Contains(stderr, says) {
			t.Errorf("%s: exit code %d, printed %q, said %q; want 2 and %q", args, code, stdout, stderr, says)
		}
	}
	t.Setenv(envURL, "http://gateway.example.org")
	if _, stderr, code := call(t, "", "keys", "list"); code != exitUsage || !strings.Contains(stderr,
		"anybody on the way reads the token") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	t.Setenv(envURL, "")
	for _, args := range []string{"keys list", "keys show " + oneKey, "keys label " + oneKey + " --label x", "keys export",
		"jobs watch", "fleet status", "jobs result " + oneJob} {
		if _, stderr, code := call(t, "", strings.Fields(args)...); code != exitUsage || !strings.Contains(stderr,
			"[http] of client.toml") {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("asked %v", f.asked)
	}
}

// TestGatewaySection: the environment counts before the file, and check looks at both.
func TestGatewaySection(t *testing.T) {
	newFake(t)
	server := os.Getenv(envURL)
	if _, stderr, code := call(t, "", "fleet", "init", "fleet"); code != 0 {
		t.Fatal(stderr)
	}
	file := filepath.Join("fleet", "client.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(section string) {
		t.Helper()
		if err := os.WriteFile(file, append(slices.Clip(text), section...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("\n[http]\nurl = \"https://away.example.org\"\ntoken_file = \"../token\"\n")
	if stdout, stderr, code := call(t, "", "keys", "list", "--config", file); code != 0 || !strings.Contains(stdout,
		oneKey) {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if stdout, stderr, code := call(t, "", "check", "--config", file); code != 0 || !strings.Contains(stdout, server) {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	t.Setenv(envURL, "")
	t.Setenv(envToken, "")
	write("\n[http]\nurl = \"" + server + "\"\ntoken_file = \"../token\"\n")
	if stdout, stderr, code := call(t, "", "keys", "list", "--config", file); code != 0 || !strings.Contains(stdout,
		oneKey) {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if err := os.Chmod("token", 0o640); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"check", "keys list"} {
		_, stderr, code := call(t, "", append(strings.Fields(args), "--config", file)...)
		stdout, _, _ := call(t, "", append(strings.Fields(args), "--config", file)...)
		if code != exitError || !strings.Contains(stdout+stderr, "chmod 600") {
			t.Errorf("%s: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
}

// TestUnknownToken: exit code 1, and the gateway's words.
func TestUnknownToken(t *testing.T) {
	newFake(t)
	if err := os.WriteFile("token", []byte("ff_other"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := call(t, "", "jobs", "list")
	if code != exitError || !strings.Contains(stderr, "401 unauthorized") || strings.Contains(stderr, "ff_other") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
