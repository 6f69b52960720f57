package wire

import (
	"strings"
	"testing"
)

const testBatch = "0123456789abcdef0123456789abcdef"

func TestSubjects(t *testing.T) {
	for got, want := range map[string]string{
		FleetSubject("main", JobSubject(KindSign, "alice")): "frost.main.job.sign.alice",
		SizedJobSubject(KindSign, "alice", MaxSmallJob):     "job.sign.alice",
		SizedJobSubject(KindSign, "alice", MaxSmallJob+1):   "bulk.sign.alice",
		SizedJobSubject(KindKeygen, "alice", MaxJobSize):    "job.keygen.alice", // which has no large ones
		TakenSubject(JobPlace{Seq: 7}):                      "taken.7",
		TakenSubject(JobPlace{Bulk: true, Seq: 7}):          "taken.bulk-7",
		ManifestSubject([32]byte{1}):                        "manifest.01" + strings.Repeat("0", 62),
		StoredResultSubject("alice", "j"):                   "res.alice.j",
		ResultSubject("alice", "*"):                         "result.alice.*",
		NoticeSubject("alice", "j"):                         "notice.alice.j",
		DeadSubject(KindSign, "alice", CodePoison):          "dead.sign.alice.poison",
		RoundsFilter(testBatch):                             "dkg." + testBatch + ".>",
		EntryFilter(testBatch):                              "entry." + testBatch + ".>",
		EntryHeadFilter(testBatch):                          "entry." + testBatch + ".*.head",
		EntryHeadSubject(testBatch, 0):                      "entry." + testBatch + ".0.head",
		EntryDealSubject(testBatch, 0, 7):                   "entry." + testBatch + ".0.deal.7",
		Slot{SlotDeal, testBatch, 7}.String():               "dkg." + testBatch + ".deal.7",
		Slot{SlotShare, testBatch, 0}.String():              "sign." + testBatch + ".share.0",
	} {
		if got != want {
			t.Errorf("have %s, want %s", got, want)
		}
	}
}

func TestIsToken(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "Alice-1_b": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "a.b": false, "*": false, ">": false, "a b": false, "a\r\n": false, "ä": false,
	} {
		if IsToken(s) != want {
			t.Errorf("IsToken(%q) = %t", s, !want)
		}
	}
}

// What a parser accepts is what the builder makes: one spelling each.
func FuzzParseSubject(f *testing.F) {
	for _, s := range []string{
		"job.sign.alice", "bulk.sign.alice", "dkg." + testBatch + ".deal.7", "sign." + testBatch + ".share.127", "res.alice.j", "result.alice.j",
		"dead.sign.alice.j", "", ".", "job..", "dkg." + testBatch + ".share.0", "dkg." + testBatch + ".deal.07", "res.a.b.c",
		"job.*.>", "job.a.b\r\n", "sign." + testBatch + ".share.255", "dkg." + testBatch + ".deal.-0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(what string, zero bool, err error, rebuilt string) {
			if err != nil && !zero || err == nil && rebuilt != s {
				t.Errorf("%s(%q): %v, rebuilds to %q", what, s, err, rebuilt)
			}
		}
		job, err := ParseJob(s)
		rebuilt := JobSubject(job.Kind, job.Client)
		if job.Bulk {
			rebuilt = "bulk." + string(job.Kind) + "." + job.Client
		}
		check("ParseJob", job == JobRef{}, err, rebuilt)
		res, err := ParseResult(s)
		rebuilt = StoredResultSubject(res.Client, res.Job)
		if strings.HasPrefix(s, "result.") {
			rebuilt = ResultSubject(res.Client, res.Job)
		}
		check("ParseResult", res == JobRef{}, err, rebuilt)
		dead, err := ParseDead(s)
		check("ParseDead", dead == DeadRef{}, err, DeadSubject(dead.Kind, dead.Client, dead.Code))
		slot, err := ParseSlot(s)
		check("ParseSlot", slot == Slot{}, err, slot.String())
	})
}

func TestParseEntryDeal(t *testing.T) {
	batch, generation, dealer, ok := ParseEntryDeal(EntryDealSubject(testBatch, 7, 23))
	if batch != testBatch || generation != 7 || dealer != 23 || !ok {
		t.Errorf("%s, %d, %d, %v", batch, generation, dealer, ok)
	}
	for _, bad := range []string{
		"", "entry", EntryHeadSubject(testBatch, 0), EntryDealSubject(testBatch, 0, 1) + ".2", "entry.x.0.deal.01",
		"entry.x.+1.deal.1", "entry.x.0.deal.-1", "entry.x.4294967296.deal.0", "entry.x.0.cert.0", "other.x.0.deal.0",
	} {
		if _, _, _, ok := ParseEntryDeal(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
}
