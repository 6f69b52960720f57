// Package audit is the log in which a worker or a gateway writes down who asked for what,
// what it decided and why: JSON lines, each with a hash over itself and the hash before it.
//
//	hash = H("frostfleet/audit/v1", hash of the line before, this line without its hash)
//
// Who changes, drops, adds or moves a line breaks the chain from there on. Who cuts its end
// does not: so the head, the number and the hash of the last line, is told to others in the
// program's heartbeats, and a log that ends before it was cut.
//
// A log is a folder of files audit-000001.jsonl, audit-000002.jsonl, ... The first line of
// each names the file, its program, and the hash of the last line of the file before. A
// Writer adds to the last file and never changes or removes what is there; old files may be
// moved to an archive. Verify reads files of any size in constant memory.
package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Version of a record's form.
const Version = 1

// Bounds of a line, in bytes, and of what is in it.
const (
	MaxLine  = 16 << 10
	maxText  = 600
	maxName  = 128
	maxToken = 64

	maxNodes     = 128
	maxApprovers = 32
	maxAssets    = 24
	MaxHeads     = 48 // of one record
)

// Event is what a record is about.
type Event string

// The events.
const (
	EventLog     Event = "log"     // a file begins
	EventStart   Event = "start"   // the program runs
	EventStop    Event = "stop"    // it ended in order
	EventJob     Event = "job"     // something was decided about a job
	EventTask    Event = "task"    // worker: a task counted for nothing
	EventAccess  Event = "access"  // the access list changed: the reason says how
	EventPolicy  Event = "policy"  // worker: another policy is in force
	EventExport  Event = "export"  // worker: shares of keys are about to leave, to who leaves the fleet
	EventFreeze  Event = "freeze"  // an administrator froze something, or several unfroze it
	EventHeads   Event = "heads"   // gateway: the heads of others' logs, by their heartbeats
	EventRewound Event = "rewound" // gateway: such a head went back
	EventLabel   Event = "label"   // gateway: a client said something of a key or a job: the reason says what
	EventLost    Event = "lost"    // records that found no room in memory while nothing could be written
)

// Events are all of them.
var Events = []Event{EventLog, EventStart, EventStop, EventJob, EventTask, EventAccess, EventPolicy, EventExport,
	EventFreeze, EventHeads, EventRewound, EventLabel, EventLost}

// Decision is what came of a job, as this program sees it.
type Decision string

// The decisions.
const (
	Approved      Decision = "approved"       // worker: it committed to nonces for it
	Signed        Decision = "signed"         // worker: its signature shares are made
	Certified     Decision = "certified"      // worker: it vouches for new keys
	Done          Decision = "done"           // gateway: the job has what it asked for
	Partial       Decision = "partial"        // gateway: some items were refused
	Denied        Decision = "denied"         // by a policy
	NeedsApproval Decision = "needs_approval" // a policy wants more approvals
	Failed        Decision = "failed"         // for another reason: the code says which
	Refused       Decision = "refused"        // nobody who may ask for it asked, or not in a form that counts
)

// Decisions are all of them.
var Decisions = []Decision{Approved, Signed, Certified, Done, Partial, Denied, NeedsApproval, Failed, Refused}

// Record is one line. Version, Seq, Time and By are the Writer's to fill in.
type Record struct {
	Version int       `json:"v"`
	Seq     uint64    `json:"seq"` // from 1, without gaps over all files of a log
	Time    time.Time `json:"time"`
	By      string    `json:"by"` // the program: "worker-0", or a gateway's name
	Event   Event     `json:"event"`
	Begin   *Begin    `json:"begin,omitempty"` // of EventLog

	Client   string   `json:"client,omitempty"`
	Job      string   `json:"job,omitempty"`
	Kind     string   `json:"kind,omitempty"`     // keygen or sign
	Form     string   `json:"form,omitempty"`     // of a sign job: psbt, ...
	Digest   string   `json:"digest,omitempty"`   // of the job, in hexadecimal
	Session  string   `json:"session,omitempty"`  // of nonces and shares, or the batch of new keys
	Manifest string   `json:"manifest,omitempty"` // worker: the node's, where it is not that of the log
	Decision Decision `json:"decision,omitempty"`
	Rule     string   `json:"rule,omitempty"` // of the policy, which decided
	Code     string   `json:"code,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Suite    string   `json:"suite,omitempty"`
	Count    int      `json:"count,omitempty"` // keys or signatures
	Nodes    []int    `json:"nodes,omitempty"` // who signs, or signed
	Approved []string `json:"approvers,omitempty"`
	Outflow  []Amount `json:"outflow,omitempty"` // what the client has less afterwards at most

	Build  string `json:"build,omitempty"`  // of EventStart
	Policy string `json:"policy,omitempty"` // of EventStart and EventPolicy: its hash; none: no policy
	Lost   uint64 `json:"lost,omitempty"`   // of EventLost: records; of others: so many like it that are not listed
	Heads  []Seen `json:"heads,omitempty"`
}

// Amount is so much of an asset, in its smallest units.
type Amount struct {
	Asset string `json:"asset"`
	Units uint64 `json:"units"`
}

// Begin is what the first line of a file says of it.
type Begin struct {
	File     int    `json:"file"`     // its number
	Prev     string `json:"prev"`     // hash of the line before, in the file before; zeros: there is none
	Role     string `json:"role"`     // worker or gateway
	Manifest string `json:"manifest"` // its hash
	Torn     *Torn  `json:"torn,omitempty"`
}

// Torn is the end of the file before that is no whole line: what a crash left of records
// that were not on the disk yet.
type Torn struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Seen is a head of somebody else's log.
type Seen struct {
	By   string `json:"by"`
	Head string `json:"head"` // as Head.String
}

// Head names the last line of a log, and with it all lines before. The zero Head is that of
// an empty log.
type Head struct {
	Seq  uint64
	Hash [32]byte
}

// String is SEQ:HASH, as ParseHead reads it.
func (h Head) String() string { return fmt.Sprintf("%d:%x", h.Seq, h.Hash) }

// ParseHead reads what Head.String made.
func ParseHead(s string) (Head, error) {
	var h Head
	seq, hash, ok := strings.Cut(s, ":")
	if !ok || len(hash) != 2*len(h.Hash) {
		return Head{}, errHead
	}
	if _, err := fmt.Sscanf(seq, "%d", &h.Seq); err != nil || fmt.Sprint(h.Seq) != seq {
		return Head{}, errHead
	}
	if _, err := hex.Decode(h.Hash[:], []byte(hash)); err != nil {
		return Head{}, errHead
	}
	return h, nil
}

var errHead = errors.New("want SEQ:HASH, a number and 64 hexadecimal digits")

// The end of a line: ,"hash":"<64 digits>"} and a line feed.
const (
	hashKey  = `,"hash":"`
	hashSize = 64
	tailSize = len(hashKey) + hashSize + 2
)

// next is the head after a line's body.
func (h Head) next(body []byte) Head {
	return Head{h.Seq + 1, frost.Hash("frostfleet/audit/v1", h.Hash[:], body)}
}

// bound makes a record fit a line, whatever others put into it. What is left out is counted.
func (r *Record) bound() {
	for _, s := range []*string{&r.By, &r.Client, &r.Job, &r.Kind, &r.Form, &r.Digest, &r.Session, &r.Rule, &r.Code,
		&r.Suite, &r.Build, &r.Policy, &r.Manifest, (*string)(&r.Event), (*string)(&r.Decision)} {
		*s = clip(*s, maxName)
	}
	r.Reason = clip(r.Reason, maxText)
	r.Nodes = r.Nodes[:min(len(r.Nodes), maxNodes)]
	if r.Event != EventHeads && r.Event != EventRewound {
		r.Heads = nil
	} else {
		r.Approved, r.Outflow = nil, nil
	}
	r.Heads = r.Heads[:min(len(r.Heads), MaxHeads)]
	r.Approved = clipAll(r.Approved)
	r.Outflow = clipOutflow(r.Outflow)
}

func clipAll(all []string) (clipped []string) {
	for _, s := range all[:min(len(all), maxApprovers)] {
		clipped = append(clipped, clip(s, maxToken))
	}
	return clipped
}

func clipOutflow(all []Amount) (clipped []Amount) {
	for _, a := range all[:min(len(all), maxAssets)] {
		clipped = append(clipped, Amount{clip(a.Asset, maxToken), a.Units})
	}
	if more := len(all) - maxAssets; more > 0 {
		clipped = append(clipped, Amount{"others", uint64(more)})
	}
	return clipped
}

// clip cuts a text, and takes out of it what does not print: escaped, that would be long.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(s[:min(len(s), most)], "?")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// encode is the body of a line: one form for each record.
func (r *Record) encode(buf *bytes.Buffer) error {
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1) // the line feed
	return nil
}

// appendLine adds the line of a record to out. The record's Seq is that of the head after it.
func appendLine(out []byte, head Head, r *Record, scratch *bytes.Buffer) ([]byte, Head, error) {
	r.Version, r.Seq = Version, head.Seq+1
	r.bound()
	if err := r.encode(scratch); err != nil {
		return out, head, err
	}
	body := scratch.Bytes()
	next := head.next(body)
	out = append(out, body[:len(body)-1]...)
	out = append(out, hashKey...)
	out = hex.AppendEncode(out, next.Hash[:])
	return append(out, '"', '}', '\n'), next, nil
}

// line is one of a file, without its line feed.
type line struct {
	body []byte // without its hash
	hash [32]byte
}

var errLine = errors.New("no record of an audit log")

// parseLine takes a line's hash off it. It changes text.
func parseLine(text []byte) (l line, err error) {
	at := len(text) - tailSize
	if at < 1 || !bytes.HasPrefix(text[at:], []byte(hashKey)) || !bytes.HasSuffix(text, []byte(`"}`)) {
		return line{}, errLine
	}
	digits := text[at+len(hashKey) : at+len(hashKey)+hashSize]
	if _, err := hex.Decode(l.hash[:], digits); err != nil || bytes.ContainsAny(digits, "ABCDEF") {
		return line{}, errLine
	}
	text[at] = '}'
	l.body = text[:at+1]
	return l, nil
}

var thisVersion = fmt.Appendf(nil, `{"v":%d,`, Version)

// otherVersion is why a line does not begin with this version.
func otherVersion(body []byte) error {
	var said struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Version == Version {
		return errLine
	}
	return fmt.Errorf("a record of version %d, and this program reads version %d", said.Version, Version)
}

// decode reads a line's body. It has one form: the one that encode makes.
func (l line) decode(scratch *bytes.Buffer) (*Record, error) {
	if !bytes.HasPrefix(l.body, thisVersion) {
		return nil, otherVersion(l.body)
	}
	var r Record
	if err := json.Unmarshal(l.body, &r); err != nil {
		return nil, errLine
	}
	if err := r.encode(scratch); err != nil || !bytes.Equal(scratch.Bytes(), l.body) {
		return nil, fmt.Errorf("%w: not in the form that programs write", errLine)
	}
	return &r, nil
}
