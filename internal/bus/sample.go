package bus

import "time"

// Sample is how the bus was when Watch last looked. What could not be asked is
// missing, with two exceptions: ClockOffset stays, and so does a follower that
// is known to be behind.
type Sample struct {
	At  time.Time
	RTT time.Duration // to the server and back; 0 while disconnected

	// ClockOffset is this machine's clock minus the server's: of the server that
	// leads the first declared stream that is asked about (JOBS with
	// Options.WatchStreams). 0 if that can't be told from none, or never could.
	ClockOffset time.Duration
	ClockKnown  bool // this sample compared the clocks; otherwise ClockOffset is an older one's

	Streams     []StreamState
	Storage     []StorageState // only with Options.WatchStreams
	Consumers   []ConsumerState
	Followers   []FollowerState
	Credentials []Credential
}

// StreamState is how much a stream holds.
type StreamState struct {
	Stream          Stream
	Messages, Bytes uint64
	Last            uint64 // sequence: how many were ever stored
	MaxBytes        int64  // <= 0: none
}

// StorageState is what the fleet's account takes of the server's storage.
type StorageState struct {
	Kind  string // StorageFile or StorageMemory
	Used  uint64 // bytes
	Limit int64  // bytes; <= 0: none that the server tells
}

// The kinds of storage.
const (
	StorageFile   = "file"
	StorageMemory = "memory"
)

// ConsumerState is what waits at a declared consumer.
type ConsumerState struct {
	Durable        string
	Pending        uint64 // not delivered yet
	Unacknowledged uint64 // delivered, at any process
}

// FollowerState is how far reading is behind the end of a stream, from the start
// on. If the stream could not be asked about there is one only if reading is
// behind what the stream held before: then by that, and for longer and longer.
type FollowerState struct {
	Stream Stream
	Behind uint64        // messages
	For    time.Duration // to the interval of Watch
}

// Credential is something that this connection needs and that ends.
type Credential struct {
	Name    string // one of CredentialNames
	Expires time.Time
}

// What may expire.
const (
	CredentialCert   = "bus_tls_cert" // Options.TLSCert
	CredentialCA     = "bus_tls_ca"   // Options.TLSCA: the last of its certificates
	CredentialServer = "bus_server"   // what the server showed; known with a TLSCA, a TLSCert or a tls:// URL
	CredentialCreds  = "bus_creds"    // Options.Credentials, if it is a JWT
)

// CredentialNames are all of them.
var CredentialNames = []string{CredentialCert, CredentialCA, CredentialServer, CredentialCreds}

// taken is a sample and for how long it counts.
type taken struct {
	Sample
	lagging error
	every   time.Duration
}

// Sample is the last one of Watch; false if there is none, or if it is older
// than three intervals.
func (b *Bus) Sample() (Sample, bool) {
	t, ok := b.fresh()
	return t.Sample, ok
}

func (b *Bus) fresh() (taken, bool) {
	t := b.sampled.Load()
	if t == nil || time.Since(t.At) > 3*t.every {
		return taken{}, false
	}
	return *t, true
}

// Offset is this machine's clock minus the server's, as last compared: also
// without a connection, but only while Watch runs.
func (b *Bus) Offset() time.Duration {
	t, _ := b.fresh()
	return t.ClockOffset
}

// Lagging says which stream is read more than 30 s behind its end, or could not
// be asked about for 30 s although there is a connection; nil if none, or if
// Watch does not run. A follower that still reads what was stored when it began
// does not lag yet, and has 30 s after that for what came in meanwhile.
func (b *Bus) Lagging() error {
	t, _ := b.fresh()
	return t.lagging
}
