package httpapi

import (
	"context"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Fleet is what this gateway knows of the fleet. *gateway.Gateway is one.
type Fleet interface {
	Manifests() []protocol.ManifestNodes // of each manifest that is in force, with the nodes' last heartbeats
	Heard() []string                     // names of gateways that are there
	Demand() protocol.Demand
	Resharing() protocol.Resharing
	Frozen() *wire.Frozen
	Ready() error
}

// Directory is what this gateway knows of keys and jobs. *directory.Directory is one, and says
// what its methods do.
type Directory interface {
	Key(client, id string) (directory.Key, error)
	Keys(q directory.KeyQuery) (directory.KeyPage, error)
	ByAddress(client, address string) (directory.Key, error)
	Job(client, id string) (directory.Job, error)
	Jobs(q directory.JobQuery) (directory.JobPage, error)
	Watch(ctx context.Context, client, id string) (<-chan directory.Job, error)
	Note(ctx context.Context, r directory.Remark) error
	Claim(ctx context.Context, r directory.Request) (stands directory.Request, mine bool, err error)
	Result(ctx context.Context, client, job string) (payload []byte, headers map[string][]string, err error)
	Ready() error
}

// Carrier publishes what others have signed.
type Carrier interface {
	// Job stores a signed job in JOBS or BULK. A *client.BusyError where there is no room.
	Job(ctx context.Context, job wire.SignedJob) error
	// Approval stores an approval of a job that waits, in APPROVALS.
	Approval(ctx context.Context, approver string, given wire.Given) error
	// Freeze stores an administrator's signed message in CONTROL, under its name.
	Freeze(ctx context.Context, administrator string, message []byte) error
	// Pending are the jobs that wait for approvals: of one client, or all ("").
	Pending(ctx context.Context, client string) ([]wire.PendingJob, error)
}

// Scope is what a caller may do.
type Scope string

// The scopes of bearer tokens and certificates.
const (
	Keygen  Scope = "keygen"
	Sign    Scope = "sign"
	Read    Scope = "read"
	Approve Scope = "approve"
)

// Caller is one who may call: a token or a certificate of the configuration.
type Caller struct {
	Name    string    // for the log and the audit log
	Client  string    // whose keys and jobs these are; "*": all clients', to read and to approve
	Scopes  []Scope   //
	Rate    float64   // requests a second, with as many at once; 0: no limit
	Expires time.Time // zero: never
	SHA256  [32]byte  // of a token; or
	Cert    [32]byte  // SHA-256 of a client certificate's DER
}
