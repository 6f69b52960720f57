// Package directory is what a gateway knows of keys and jobs, for people and programs who ask:
// a projection of KEYS, RESULTS, REQUESTS and LABELS into a file, which is made again when it
// is deleted. Nothing is decided by it: the register and the results prove themselves, and
// labels are remarks.
package directory

import (
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// ErrNotFound: there is no such key, address or job, or it is not of the client that asks.
var ErrNotFound = errors.New("not in the directory")

// ErrCursor: a cursor that no page of this list ended with.
var ErrCursor = errors.New("not a cursor of this list")

// ErrBehind: the directory has not read yet what would answer that.
var ErrBehind = errors.New("the directory is still being read")

// ErrWatchers: as many watch as may.
var ErrWatchers = errors.New("too many watch jobs here")

// ErrRemark and ErrRequest: what was given is none that may be stored.
var (
	ErrRemark  = errors.New("not a remark")
	ErrRequest = errors.New("not a request")
)

// Key is one key, as the newest entry of its batch has it.
type Key struct {
	ID         string
	Client     string // whose it is
	Chain      string // bitcoin or solana
	PublicKey  []byte // bitcoin: internal key, 33 bytes compressed; solana: 32 bytes
	ChainCode  []byte // 32 bytes
	Address    string // on the fleet's network
	Job        string // that asked for it
	Generation uint32
	Created    time.Time // when its entry was stored
	Label      string
	Metadata   map[string]string
}

// KeyQuery chooses keys. What is zero chooses nothing away.
type KeyQuery struct {
	Client       string // "": all clients'
	Chain, Job   string
	Label        string    // exactly; its own, or its job's where it has none
	Text         string    // part of a label, in either case; 1 to MaxLabel bytes
	Since, Until time.Time // created in [Since, Until)
	After        string    // cursor: what follows the page that ended with it
	Limit        int       // 1 to MaxPage
}

// MaxPage is how many keys or jobs one page has at most.
const MaxPage = 1000

// KeyPage is a part of a list: oldest first, or in the order of labels where a label is asked
// for. It may have fewer keys than were asked for, and none, and be followed by others: what
// one page looks at is bounded.
type KeyPage struct {
	Keys []Key
	Next string // cursor; empty: this page is the last
}

// Job is one job. Its result is in RESULTS for a day; the directory keeps this line for longer.
type Job struct {
	ID       string
	Client   string
	Kind     wire.Kind
	State    State
	Code     wire.Code // not done: why, for programs
	Error    string    // not done: why, for people
	Count    int       // keys or signatures that it asks for; 0: unknown here
	Done     int       // of them
	Created  time.Time // when the first sign of it was stored
	Ended    time.Time // zero: it has not
	Gateway  string    // that signed its result
	Chain    string    // keygen
	Label    string
	Metadata map[string]string
}

// State is how far a job has come.
type State string

// A job is accepted, and perhaps pending, until it ends as one of the others.
const (
	Accepted State = "accepted"
	Pending  State = "pending" // it waits for approvals
	Done     State = "done"
	Partial  State = "partial"
	Denied   State = "denied"
	Failed   State = "failed"
)

// Ended reports whether a job in this state has its answer.
func (s State) Ended() bool { return s != Accepted && s != Pending }

// JobQuery chooses jobs. What is zero chooses nothing away.
type JobQuery struct {
	Client       string
	Kind         wire.Kind
	State        State
	Since, Until time.Time // created in [Since, Until)
	After        string
	Limit        int // 1 to MaxPage
}

// JobPage is a part of a list, newest first. It may be short, as a KeyPage may.
type JobPage struct {
	Jobs []Job
	Next string
}

// Remark is what a client says of a key, or of all keys of a job: it replaces what was said
// before. A key's own label counts before its job's.
type Remark struct {
	Client   string
	Key, Job string            // one of them
	Label    string            // up to MaxLabel bytes of UTF-8; empty takes the label away
	Metadata map[string]string // up to MaxMetadata pairs
	By       string            // the token or certificate that said it
	Time     time.Time
}

// What a remark holds at most.
const (
	MaxLabel    = 128  // bytes
	MaxMetadata = 16   // pairs
	MaxName     = 64   // bytes of a pair's name
	MaxValue    = 1024 // bytes of its value
)

// Request is a job that came over HTTP: which, and when it expires, so that the same request
// with the same idempotency key is the same job at any gateway.
type Request struct {
	Client  string
	Job     string
	Kind    wire.Kind
	Digest  [32]byte // SHA-256 of method, path and body: another one with this key is refused
	Count   int
	Expires time.Time
	By      string // token or certificate
	Time    time.Time
}
