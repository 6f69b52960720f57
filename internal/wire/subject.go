package wire

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Subjects are named here and nowhere else, below the fleet's prefix. Builders
// don't check what they are given: the bus refuses a subject that its stream
// does not take. Parsers read subjects that anybody may have written.

// FleetSubject is a subject as it is on the server.
func FleetSubject(fleet, subject string) string { return "frost." + fleet + "." + subject }

// JobSubject is where a client leaves its jobs of a kind, and what its signature of one
// is over.
func JobSubject(kind Kind, client string) string { return "job." + string(kind) + "." + client }

// bulkJob begins the subjects of large jobs.
const bulkJob = "bulk"

// SizedJobSubject is where a client leaves a job whose payload has so many bytes: large
// ones have a stream of their own, which takes few of a client.
func SizedJobSubject(kind Kind, client string, size int) string {
	if kind == KindSign && size > MaxSmallJob {
		return bulkJob + "." + string(kind) + "." + client
	}
	return JobSubject(kind, client)
}

// StoredResultSubject is where a gateway stores the result of a job.
func StoredResultSubject(client, job string) string { return "res." + client + "." + job }

// ResultSubject is where the server announces a stored result, and where its
// client hears of it. Job may be "*".
func ResultSubject(client, job string) string { return "result." + client + "." + job }

// WebhookSubject is where gateways keep how far a webhook came.
func WebhookSubject(name string) string { return "webhook." + name }

// NoticeSubject is announced as a result is. A gateway leaves an answer there
// that must not take the place of a stored result.
func NoticeSubject(client, job string) string { return "notice." + client + "." + job }

// ParseNotice is the reverse of NoticeSubject.
func ParseNotice(subject string) (JobRef, error) {
	t, err := tokens(subject, 3, "notice")
	if err != nil {
		return JobRef{}, err
	}
	return JobRef{Client: t[1], Job: t[2]}, nil
}

// RequestSubject is where a gateway notes a job that came over HTTP. The first note of a job
// stands.
func RequestSubject(client, job string) string { return "request." + client + "." + job }

// ParseRequest is the reverse of RequestSubject.
func ParseRequest(subject string) (JobRef, error) {
	t, err := tokens(subject, 3, "request")
	if err != nil {
		return JobRef{}, err
	}
	if !IsJobID(t[2]) {
		return JobRef{}, fmt.Errorf("subject %.100q names no job", subject)
	}
	return JobRef{Client: t[1], Job: t[2]}, nil
}

// LabelRef is what the subject of a label names: a key or a job of a client.
type LabelRef struct{ Client, Key, Job string }

const (
	labelKey = "key"
	labelJob = "job"
)

// LabelSubject is where gateways leave what a client says of a key, or of a job; the other one
// is "". The dot of a key's id is none of the subject's.
func LabelSubject(client, key, job string) string {
	if job != "" {
		return "label." + client + "." + labelJob + "." + job
	}
	return "label." + client + "." + labelKey + "." + strings.Replace(key, ".", "-", 1)
}

// ParseLabel is the reverse of LabelSubject.
func ParseLabel(subject string) (LabelRef, error) {
	t, err := tokens(subject, 4, "label")
	if err != nil {
		return LabelRef{}, err
	}
	ref := LabelRef{Client: t[1]}
	switch t[2] {
	case labelJob:
		if ref.Job = t[3]; IsJobID(ref.Job) {
			return ref, nil
		}
	case labelKey:
		ref.Key = strings.Replace(t[3], "-", ".", 1)
		if _, err := ParseKeyID(ref.Key); err == nil && !strings.Contains(t[3], ".") {
			return ref, nil
		}
	}
	return LabelRef{}, fmt.Errorf("subject %.100q names no key and no job", subject)
}

// DeadSubject is where a gateway keeps the jobs of a client that ended with a code.
// The stream keeps so many of a subject, so that no client's displace another's.
func DeadSubject(kind Kind, client string, code Code) string {
	return "dead." + string(kind) + "." + client + "." + string(code)
}

// TaskSubject is the subject of a task. The lane tells small urgent work from
// bulk.
func TaskSubject(t *Task, jobID string) string {
	lane := "bulk"
	if t.Job.Kind == KindSign && len(t.Items) <= InteractiveItems {
		lane = "interactive"
	}
	return fmt.Sprintf("work.%s.%s.%s.%d.%d", lane, t.Job.Client, jobID, t.Part, t.Attempt)
}

// RoundsFilter matches everything that the rounds have of one batch.
func RoundsFilter(batch string) string { return "dkg." + batch + ".>" }

// ReshareFilter matches everything that the rounds have of one attempt at resharing.
func ReshareFilter(id string) string { return reshareFamily + "." + id + ".>" }

// ReshareTaskSubject is the subject of the task that opens an attempt: one for each number
// of a batch's generations.
func ReshareTaskSubject(r *Reshare) string { return fmt.Sprintf("move.%s.%d", r.BatchID(), r.To) }

// IsReshareTask reports whether a subject of WORK is that of such a task.
func IsReshareTask(subject string) bool { return strings.HasPrefix(subject, "move.") }

// PaceSubject is where the administrator says whether keys move.
const PaceSubject = "pace.reshare"

// EntryFilter matches everything that KEYS has of one batch, under its own subjects.
func EntryFilter(batch string) string { return "entry." + batch + ".>" }

// EntryHeadFilter matches the heads of one batch's entries, under their own subjects.
func EntryHeadFilter(batch string) string { return "entry." + batch + ".*.head" }

// EntryHeads matches the heads of all entries.
const EntryHeads = "entry.*.*.head"

// EntryHeadSubject is where a gateway stores the head of a batch's entry.
func EntryHeadSubject(batch string, generation uint32) string {
	return fmt.Sprintf("entry.%s.%d.head", batch, generation)
}

// EntryDealSubject is where a gateway stores one deal of an entry.
func EntryDealSubject(batch string, generation uint32, dealer int) string {
	return fmt.Sprintf("entry.%s.%d.deal.%d", batch, generation, dealer)
}

// ParseEntryDeal reads what EntryDealSubject gives.
func ParseEntryDeal(subject string) (batch string, generation uint32, dealer int, ok bool) {
	parts := strings.Split(subject, ".")
	if len(parts) != 5 || parts[0] != "entry" || parts[3] != "deal" {
		return "", 0, 0, false
	}
	g, err := strconv.ParseUint(parts[2], 10, 32)
	d, errDealer := strconv.ParseUint(parts[4], 10, 16)
	ok = err == nil && errDealer == nil && subject == EntryDealSubject(parts[1], uint32(g), int(d))
	return parts[1], uint32(g), int(d), ok
}

// IsEntry reports whether a subject of KEYS is one of entries, and whether it is a
// head's. What the message proves follows from its bytes alone.
func IsEntry(subject string) (entry, head bool) {
	return strings.HasPrefix(subject, "entry."), strings.HasSuffix(subject, ".head")
}

// Manifests are all manifests in KEYS.
const Manifests = "manifest.*"

// ManifestSubject is where a gateway stores the manifest of that hash.
func ManifestSubject(hash [32]byte) string { return ManifestFilter(hex.EncodeToString(hash[:])) }

// ManifestFilter is ManifestSubject of a hash in hexadecimal.
func ManifestFilter(hash string) string { return "manifest." + hash }

// Successions are all successions in KEYS.
const Successions = "succession.*"

// SuccessionSubject is where a gateway stores what makes the manifest of that hash one of
// the fleet's.
func SuccessionSubject(hash [32]byte) string { return "succession." + hex.EncodeToString(hash[:]) }

// LineageKind is what a message of KEYS says of the fleet's manifests.
type LineageKind int

// What it may be; 0: nothing.
const (
	LineageManifest   LineageKind = iota + 1 // a manifest, which proves itself by its hash alone
	LineageSuccession                        // a succession
)

// LineageMessage tells what a subject of KEYS is of.
func LineageMessage(subject string) LineageKind {
	switch {
	case strings.HasPrefix(subject, "manifest."):
		return LineageManifest
	case strings.HasPrefix(subject, "succession."):
		return LineageSuccession
	}
	return 0
}

// String is the slot's subject.
func (s Slot) String() string {
	return slotFamily[s.Kind] + "." + s.ID + "." + string(s.Kind) + "." + strconv.Itoa(s.Node)
}

// ParseSlot reads the subject of a slot.
func ParseSlot(subject string) (Slot, error) {
	p := strings.Split(subject, ".")
	if len(p) != 4 || !isBatchID(p[1]) {
		return Slot{}, fmt.Errorf("subject %.100q is no slot", subject)
	}
	if family, ok := slotFamily[SlotKind(p[2])]; !ok || family != p[0] {
		return Slot{}, fmt.Errorf("subject %.100q is no slot", subject)
	}
	node, err := strconv.Atoi(p[3])
	if err != nil || node < 0 || node >= MaxNodes || strconv.Itoa(node) != p[3] {
		return Slot{}, fmt.Errorf("subject %.100q names no node", subject)
	}
	return Slot{Kind: SlotKind(p[2]), ID: p[1], Node: node}, nil
}

// JobRef is what the subject of a job, a result or a dead letter names: a result
// has no kind there, and a job no id.
type JobRef struct {
	Kind        Kind
	Client, Job string
	Bulk        bool // a job in BULK
}

// ParseJob is the reverse of SizedJobSubject.
func ParseJob(subject string) (JobRef, error) {
	t, err := tokens(subject, 3, "job", bulkJob)
	if err != nil {
		return JobRef{}, err
	}
	return JobRef{Kind: Kind(t[1]), Client: t[2], Bulk: t[0] == bulkJob}, nil
}

// ParseResult reads the subject of a result, stored or announced.
func ParseResult(subject string) (JobRef, error) {
	t, err := tokens(subject, 3, "res", "result")
	if err != nil {
		return JobRef{}, err
	}
	return JobRef{Client: t[1], Job: t[2]}, nil
}

// DeadRef is what the subject of a dead letter says.
type DeadRef struct {
	Kind   Kind
	Client string
	Code   Code
}

// ParseDead is the reverse of DeadSubject.
func ParseDead(subject string) (DeadRef, error) {
	t, err := tokens(subject, 4, "dead")
	if err != nil {
		return DeadRef{}, err
	}
	return DeadRef{Kind: Kind(t[1]), Client: t[2], Code: Code(t[3])}, nil
}

// tokens splits a subject into n tokens, of which the first is given.
func tokens(subject string, n int, first ...string) ([]string, error) {
	t := strings.SplitN(subject, ".", n+1)
	ok := len(t) == n
	for i := 1; ok && i < n; i++ {
		ok = IsToken(t[i])
	}
	for _, f := range first {
		if ok && t[0] == f {
			return t, nil
		}
	}
	return nil, fmt.Errorf("subject %.100q is not %s.…, of %d tokens", subject, strings.Join(first, ".… or "), n)
}

// maxToken is how long a name may be that stands in subjects.
const maxToken = 64

// IsToken reports whether s may stand between two dots: [A-Za-z0-9_-]{1,64}.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= maxToken
}
