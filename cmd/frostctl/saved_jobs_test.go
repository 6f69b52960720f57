package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
)

const goodHead = `{"version":1,"kind":"keygen","fleet":"dev","network":"regtest","manifest":"00","client":"client0",` +
	`"chain":"bitcoin","count":3,"out":"keys.jsonl"}`

// goodLine is a saved job, made as keygen makes it.
func goodLine(t testing.TB, id int, chain string) string {
	payload := fmt.Sprintf(`{"job":"0198c0de-0000-7000-8000-%012d","kind":"keygen","expires":"2026-01-31T12:30:00Z",`+
		`"chain":%q,"count":2}`, id, chain)
	var line bytes.Buffer
	if err := printJSON(&line, savedLine{payload}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line.String())
}

func TestParseJobs(t *testing.T) {
	one, two := goodLine(t, 1, "bitcoin"), goodLine(t, 2, "bitcoin")
	head, jobs, whole, err := parseJobs([]byte(goodHead + "\n" + one + "\n" + two + "\n" + `{"job":"cut o`))
	if err != nil || head.Count != 3 || len(jobs) != 2 || jobs[1].Count != 2 || whole != len(goodHead+one+two)+3 {
		t.Errorf("%+v, %d jobs, %d bytes, %v", head, len(jobs), whole, err)
	}
	change := func(old, now string) string { return strings.Replace(goodHead, old, now, 1) + "\n" }
	for name, tt := range map[string]struct{ text, says string }{
		"empty":            {"", "no whole line"},
		"cut off":          {goodHead, "no whole line"},
		"newer":            {change(`"version":1`, `"version":2`), "version 2: this frostctl reads version 1"},
		"of sign jobs":     {change("keygen", "sign"), "line 1"},
		"other chain":      {change("bitcoin", "dogecoin"), "dogecoin"},
		"no keys":          {change(`"count":3`, `"count":0`), "line 1"},
		"too many":         {change(`"count":3`, `"count":100000000000`), "100000000000"},
		"another folder":   {change("keys.jsonl", "../keys.jsonl"), "not in this folder"},
		"this folder":      {change("keys.jsonl", "."), "not in this folder"},
		"unknown field":    {change(`"count"`, `"more":1,"count"`), "more"},
		"a job first":      {one + "\n", "line 1"},
		"twice":            {goodHead + "\n" + one + "\n" + one + "\n", "is in it twice"},
		"of another chain": {goodHead + "\n" + goodLine(t, 1, "solana") + "\n", "is for solana"},
		"of more keys": {strings.Replace(goodHead, `"count":3`, `"count":1`, 1) + "\n" + one + "\n",
			"asks for 2 keys, the request for 1"},
		"a null":       {change(`"keys.jsonl"`, "null"), `"out" is null`},
		"no job":       {goodHead + "\n{}\n", "line 2"},
		"a blank line": {goodHead + "\n\n", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			head, jobs, _, err := parseJobs([]byte(tt.text))
			if err == nil || jobs != nil || head.Client != "" || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v, %d jobs, %v; want an error about %q", head, len(jobs), err, tt.says)
			}
		})
	}
}

// FuzzParseJobs: what is read is within bounds, and written again it is the same.
func FuzzParseJobs(f *testing.F) {
	f.Add([]byte(goodHead + "\n" + goodLine(f, 1, "bitcoin") + "\n"))
	f.Add([]byte(goodHead + "\n" + goodLine(f, 1, "bitcoin")))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, jobs, whole, err := parseJobs(data)
		if err != nil {
			return
		}
		var text bytes.Buffer
		if err := printJSON(&text, head); err != nil {
			t.Fatal(err)
		}
		for _, job := range jobs {
			if err := printJSON(&text, savedLine{job.Payload}); err != nil {
				t.Fatal(err)
			}
		}
		again, same, _, err := parseJobs(text.Bytes())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(head) || len(same) != len(jobs) || whole > len(data) {
			t.Errorf("%+v, %d jobs, written again: %+v, %d jobs, %v", head, len(jobs), again, len(same), err)
		}
		if head.Count < 1 || head.Count > client.MaxRequestKeys || strings.ContainsAny(head.Out, `/`) || head.Out == ".." {
			t.Errorf("%+v", head)
		}
	})
}

// TestJobsFile: what is saved is read again, one process works on it, and what a crash cut
// off goes away.
func TestJobsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.jsonl.jobs")
	var head jobsHead
	if err := json.Unmarshal([]byte(goodHead), &head); err != nil {
		t.Fatal(err)
	}
	j, err := createJobs(path, head)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := parseJob([]byte(goodLine(t, 1, "bitcoin")), &head)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.add(saved); err != nil {
		t.Fatal(err)
	}
	itself := filepath.Join(t.TempDir(), "itself.jobs")
	head.Out = "itself.jobs"
	if line, err := json.Marshal(head); err != nil || os.WriteFile(itself, append(line, '\n'), 0o600) != nil {
		t.Fatal(err)
	}
	if _, err := openJobs(itself); err == nil || !strings.Contains(err.Error(), "names itself") {
		t.Errorf("keys would go into the jobs file: %v", err)
	}
	if err := json.Unmarshal([]byte(goodHead), &head); err != nil {
		t.Fatal(err)
	}
	if _, err := openJobs(path); err == nil || !strings.Contains(err.Error(), "another frostctl") {
		t.Errorf("two work on one file: %v", err)
	}
	if _, err := createJobs(path, head); err == nil || !strings.Contains(err.Error(), "--resume "+path) {
		t.Errorf("made twice: %v", err)
	}
	j.bytes = maxJobsFile - 10
	if err := j.add(saved); err == nil || !strings.Contains(err.Error(), "no more jobs fit") {
		t.Errorf("no bound: %v", err)
	}
	j.close()
	appendTo(t, path, `{"job":"cut o`)
	for range 2 {
		j, err = openJobs(path)
		if err != nil || len(j.jobs) != 1 || j.jobs[0] != saved || j.out() != strings.TrimSuffix(path, jobsSuffix) {
			t.Fatalf("%+v, %v", j, err)
		}
		j.close()
	}
	data, err := os.ReadFile(path)
	if err != nil || !bytes.HasSuffix(data, []byte("\n")) || bytes.Contains(data, []byte("cut")) {
		t.Errorf("%s, %v", data, err)
	}
	if err := j.remove(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), maxJobsFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openJobs(path); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("a file without bounds: %v", err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOpenKeys: a keys file ends in a whole line before anything is appended to it.
func TestOpenKeys(t *testing.T) {
	saved, err := client.ParseSavedJob(`{"job":"0198c0de-0000-7000-8000-000000000001","kind":"keygen",` +
		`"expires":"2026-01-31T12:30:00Z","chain":"bitcoin","count":2}`)
	if err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer
	proof := client.Proof{Client: "alice", Job: saved.Payload, Result: json.RawMessage(`{"a":1}`)}
	if err := printJSON(&line, proof); err != nil {
		t.Fatal(err)
	}
	whole := line.String()
	ours := func(torn []byte) bool { return begins(torn, "alice", []client.SavedJob{saved}) }
	nobodys := func([]byte) bool { return false }
	long := strings.Repeat("x", 300<<10)
	for name, tt := range map[string]struct {
		before, after string // no after: refused
		ours          func([]byte) bool
	}{
		"whole":                {whole, whole, nobodys},
		"without its line end": {whole + strings.TrimSpace(whole), whole + whole, nobodys},
		"ours, cut early":      {whole + whole[:9], whole, ours},
		"ours, cut in the job": {whole + whole[:60], whole, ours},
		"ours, cut late":       {whole + whole[:len(whole)-4], whole, ours},
		"ours, and alone":      {"\n" + whole[:60], "\n", ours},
		"ours, and long":       {whole + whole[:len(whole)-3] + long, whole, ours},
		"zeros":                {whole + strings.Repeat("\x00", 5000), whole, ours},
		"ours, and zeros":      {whole + whole[:9] + "\x00\x00", whole, ours},
		"whole, and zeros":     {whole + strings.TrimSpace(whole) + "\x00\x00", whole + whole, ours},
		"nobody's zeros":       {whole + strings.Repeat("\x00", 5000), "", nobodys},
		"nobody's, and zeros":  {whole + strings.TrimSpace(whole) + "\x00", "", nobodys},
		"another client's":     {whole + strings.Replace(whole, "alice", "bob", 1)[:60], "", ours},
		"nobody's":             {whole + whole[:60], "", nobodys},
		"nothing known":        {whole + long, "", ours},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.jsonl")
			if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := openKeys(path, tt.ours)
			want := tt.after
			if want == "" {
				want = tt.before
				if err == nil || !strings.Contains(err.Error(), "cut off") {
					t.Errorf("got %v, want a refusal", err)
				}
			} else if err = errors.Join(err, f.Close()); err != nil {
				t.Error(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
			}
		})
	}
}
