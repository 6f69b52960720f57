package bus

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

var testHash = strings.Repeat("0123456789abcdef", 4)

func TestSubjects(t *testing.T) {
	s := func(v string, err error) string {
		if err != nil {
			t.Error(err)
		}
		return v
	}
	for got, want := range map[string]string{
		s(JobSubject("sign", "alice")):       "job.sign.alice",
		s(ManifestSubject(testHash)):         "manifest." + testHash,
		s(ResSubject("alice", "j")):          "res.alice.j",
		s(ResultSubject("alice", "j")):       "result.alice.j",
		s(ResultFilter("alice")):             "result.alice.*",
		s(DeadSubject("sign", "alice", "j")): "dead.sign.alice.j",
		s(BatchFilter(testBatch)):            "dkg." + testBatch + ".>",
	} {
		if got != want {
			t.Errorf("have %s, want %s", got, want)
		}
	}
}

func TestSubjectsRefuse(t *testing.T) {
	long := strings.Repeat("a", 65)
	tests := map[string]func() (string, error){
		"dot":           func() (string, error) { return JobSubject("a.b", "c") },
		"empty":         func() (string, error) { return JobSubject("a", "") },
		"wildcard":      func() (string, error) { return JobSubject("a", "*") },
		"full wildcard": func() (string, error) { return ResSubject("a", ">") },
		"space":         func() (string, error) { return DeadSubject("a", "b c", "d") },
		"line":          func() (string, error) { return DeadSubject("a", "b\r\n", "d") },
		"too long":      func() (string, error) { return JobSubject(long, "a") },
		"letters":       func() (string, error) { return JobSubject("ä", "a") },
		"short hash":    func() (string, error) { return ManifestSubject(testBatch) },
		"batch filter":  func() (string, error) { return BatchFilter("*") },
		"result filter": func() (string, error) { return ResultFilter("*") },
	}
	for name, build := range tests {
		if s, err := build(); !errors.Is(err, ErrSubject) {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
}

func TestStreamOfEverySubject(t *testing.T) {
	b := &Bus{}
	var err error
	if b.declared, err = load(); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]Stream{
		"job.sign.alice": Jobs, "work.a.b.c.0.0": Work, "dkg." + testBatch + ".deal.0": Keys, "manifest." + testHash: Keys,
		"sign." + testBatch + ".refuse.0": Sign, "res.alice.j": Results, "notice.alice.j": Notices, "dead.sign.alice.j": DeadLetter,
	} {
		if got, err := b.streamOf(subject); err != nil || got != want {
			t.Errorf("%s: %s %v", subject, got, err)
		}
	}
	for _, subject := range []string{"result.alice.j", "job.sign", "job.sign.alice.x", "dkg." + testBatch + ".bribe.0", "", "live.keys.x"} {
		if got, err := b.streamOf(subject); !errors.Is(err, ErrSubject) {
			t.Errorf("%s: %s %v", subject, got, err)
		}
	}
}

// What a parser accepts is what the constructor makes: one spelling each.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"job.sign.alice", "work.bulk.alice.j.0.1", "dkg." + testBatch + ".deal.7", "sign." + testBatch + ".share.254",
		"manifest." + testHash, "res.alice.j", "result.alice.j", "dead.sign.alice.j",
		"", ".", "job..", "work.a.b.c.00.1", "work.a.b.c.+1.1", "dkg." + testBatch + ".share.0", "dkg." + testBatch + ".deal.07",
		"res.a.b.c", "job.*.>", "job.a.b\r\n", "sign." + testBatch + ".share.255", "dkg." + testBatch + ".deal.-0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(what string, value any, err error, rebuild func() (string, error)) {
			if err != nil {
				if v := reflect.ValueOf(value); !errors.Is(err, ErrSubject) || !v.IsZero() {
					t.Errorf("%s(%q): %v with %v", what, s, err, value)
				}
				return
			}
			if again, err := rebuild(); err != nil || again != s {
				t.Errorf("%s(%q) rebuilds to %q, %v", what, s, again, err)
			}
		}
		job, err := ParseJob(s)
		check("ParseJob", job, err, func() (string, error) { return JobSubject(job.Kind, job.Client) })
		res, err := ParseResult(s)
		check("ParseResult", res, err, func() (string, error) {
			if strings.HasPrefix(s, "result.") {
				return ResultSubject(res.Client, res.Job)
			}
			return ResSubject(res.Client, res.Job)
		})
		dead, err := ParseDead(s)
		check("ParseDead", dead, err, func() (string, error) { return DeadSubject(dead.Kind, dead.Client, dead.Job) })
	})
}
