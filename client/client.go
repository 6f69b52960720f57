// Package client asks a Frostfleet fleet for keys and signatures, and believes
// nothing that it can check.
//
//	config, err := client.Load("client.toml")
//	c, err := client.New(ctx, config)
//	defer c.Close()
//	keys, err := c.Keygen(ctx, client.KeygenRequest{Chain: "bitcoin", Count: 1000})
//	sigs, err := c.Sign(ctx, client.SignRequest{Items: []client.SignItem{
//		{Key: keys.Keys[0].ID, PublicKey: keys.Keys[0].PublicKey, Message: sighash},
//	}})
//
// # Transactions
//
// Sign has hashes and bytes signed, which nobody can read. What nodes read for themselves,
// and judge by their policies, is a PSBT ([Client.SignPSBT]), a Solana transaction
// ([Client.SignSolanaTransaction]) or a text ([Client.SignMessage]). A [SignJob] is one that
// was made and not published yet, for people to approve.
//
// # Addresses without a job
//
// A key has children, and their addresses follow from public data. An [Account] derives
// them offline, as many as wanted, and what a watch-only wallet imports to see them:
//
//	account, err := keys.Keys[0].Account()
//	for address, err := range account.Addresses(client.Receive, 0, 1_000_000) { ... }
//
// # How a job is answered
//
// A job is JSON, signed with the client's Ed25519 key and stored by JetStream.
// The client subscribes to its results before it publishes its first job; the
// server announces a result once it is stored. A client that got no answer for
// a while, or was disconnected, also reads the stored result itself, so a lost
// announcement costs seconds and never an answer. The same job published
// again, byte for byte, is answered with the first result: whatever fails between
// publishing and the answer is repaired by repetition, see [KeygenRequest.JobID].
// While somebody waits, the client repeats a job that has no answer after half a minute,
// and then less and less often.
//
// The fleet stores a job until it is done and its result for 24 hours, and a result proves
// keys only beside the job that asked for them. A program that must not lose keys when it
// crashes saves each job before it is published ([KeygenRequest.OnJob]) and goes on with
// what it saved ([KeygenRequest.Resume]), as frostctl keygen does.
//
// # What is checked
//
// An answer counts if one of the fleet's gateways signed it and it names the
// digest of this very job; anything else on the subject is ignored. A gateway
// is trusted for that much only:
//
//   - Keys are returned only if all n nodes certified them for this job, under
//     their hardware keys as the manifest lists them, and every address follows
//     from its public key. That is checked against the manifest alone.
//   - Signatures are returned only if they verify under the output key of
//     [SignItem.PublicKey], or of its child if the item has a path. An item without
//     it shows that somebody signed, not that the right key did. Those of a job are
//     verified together, and a sample of them again with libraries that share no code
//     with that ([Config.Recheck]); a signature alone is verified by the library.
//   - Of a request that nodes read, the client reads its own copy, and takes nothing from
//     the answer but signatures, which verify under keys and over digests that it computed.
//
// An answer that a gateway signed and that fails these checks is a
// [*ProofError]: the gateway is broken or taken over, or the manifest is not the
// fleet's.
package client

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Client is one client of one fleet. All methods may be called concurrently.
type Client struct {
	stated    *Manifest
	manifest  *wire.Manifest              // what stated was parsed into
	access    atomic.Pointer[wire.Access] // the gateways
	name      string
	sign      signFunc
	log       *slog.Logger
	tracer    trace.Tracer
	pollAfter time.Duration
	grace     time.Duration // how long after its expiry a job may still be answered
	again     time.Duration // how long a job goes unanswered before it is published again
	starting  time.Duration // how long a patient request waits for missing streams
	jobsThere atomic.Bool   // a job was stored in JOBS: it is there
	bulkThere atomic.Bool   // the same for BULK
	width     int
	recheck   float64       // share of signatures
	branches  *derive.Cache // parents of children that signed
	collect   *collector    // nil: every request has jobs of its own

	nc    *natsconn.Conn
	owned bool // nc is this client's to close
	sub   *nats.Subscription

	closed context.Context // ends with Close
	end    context.CancelFunc
	follow func() // waits for the end of what follows Config.AccessFile

	mu      sync.Mutex
	waiting waiting
	repeats time.Time // when the next job may be published again
}

// maxBranches is how many parents of children a client holds decoded: five megabytes.
const maxBranches = 4096

// signFunc signs a job; the private key stays behind it.
type signFunc func(kind wire.Kind, payload []byte) wire.SignedJob

// New connects (unless Config has a connection) and subscribes to this
// client's results. Close ends both.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c, err := newClient(&cfg)
	if err != nil {
		return nil, err
	}
	if cfg.CollectFor > 0 {
		c.collect = &collector{sign: c.signAll, wait: cfg.CollectFor, most: cfg.CollectItems, open: map[int]*collected{}}
	}
	c.closed, c.end = context.WithCancel(context.Background())
	if err = c.dial(ctx, &cfg); err != nil {
		return nil, err
	}
	if cfg.AccessFile != "" {
		c.follow = c.followAccess(cfg.AccessFile)
	}
	if err := c.open(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newClient is a client without a connection.
func newClient(cfg *Config) (*Client, error) {
	access, err := wire.NewAccess(nil, maps.Clone(cfg.Gateways))
	if err == nil {
		access, err = access.WithSecondKeys(nil, cfg.SecondKeys)
	}
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c := &Client{
		stated: cfg.Manifest, manifest: cfg.Manifest.core, name: cfg.Name,
		log: cfg.Logger, tracer: newTracer(cfg.TracerProvider), follow: func() {},
		sign: func(kind wire.Kind, payload []byte) wire.SignedJob {
			return wire.SignJob(cfg.Key, cfg.Manifest.core, kind, cfg.Name, payload)
		},
		pollAfter: cfg.PollAfter, grace: defaultGrace, again: defaultAgain, starting: defaultStarting,
		width: cfg.MaxInFlight, waiting: waiting{jobs: map[string][]*pending{}}, owned: cfg.Conn == nil,
		recheck: cfg.Recheck, branches: derive.NewCache(maxBranches),
	}
	c.access.Store(access)
	return c, nil
}

// open subscribes, and returns once the server has the subscription: a result
// that is stored from now on is announced to this client.
func (c *Client) open(ctx context.Context) (err error) {
	subject := wire.FleetSubject(c.manifest.Fleet, wire.ResultSubject(c.name, "*"))
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if c.sub, err = c.nc.Subscribe(subject, c.onResult); err == nil {
		err = c.nc.FlushWithContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("client: subscribing to %s: %w", subject, err)
	}
	return nil
}

// Manifest is the fleet's manifest, as configured.
func (c *Client) Manifest() *Manifest { return c.stated }

// Name is the client's name, as in the fleet's access list.
func (c *Client) Name() string { return c.name }

// Close ends the subscription and, if New made it, the connection. Calls that
// still wait return ErrClosed; published jobs go on. Idempotent.
func (c *Client) Close() {
	c.end()
	c.follow()
	_ = c.sub.Unsubscribe() // fails only without a subscription or a connection
	if c.owned {
		c.nc.Close()
	}
}

// stream is the name of one of this fleet's streams on the server.
func (c *Client) stream(name string) string {
	return "FROST_" + strings.ToUpper(c.manifest.Fleet) + "_" + name
}
