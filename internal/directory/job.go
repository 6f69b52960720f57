package directory

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What the directory keeps of jobs.
const (
	jobLife = 30 * 24 * time.Hour
	maxJobs = 500_000 // the oldest go first

	// idLife is how long REQUESTS and RESULTS keep a job's id at least, but for what clocks
	// differ: something new under it after that is another job's.
	idLife = 23 * time.Hour
	// storedLife is how long JOBS and BULK keep a job for a gateway.
	storedLife = time.Hour
)

// rank is how much what is said of a job counts. Streams are read in no order among them, so
// what counts more stays whichever is read first.
type rank uint8

const (
	rankSeen     rank = iota // it was asked for, or has keys
	rankTurned               // a notice: it was turned away. Another job of its id may stand all the same
	rankPending              // it waits for approvals
	rankAnswered             // a notice: its result, where something else stands in its place
	rankResult               // its result
)

// line is a job as the file has it.
type line struct {
	Kind     wire.Kind `cbor:"1,keyasint,omitempty"`
	Rank     rank      `cbor:"2,keyasint,omitempty"`
	State    State     `cbor:"3,keyasint"`
	Code     wire.Code `cbor:"4,keyasint,omitempty"`
	Error    string    `cbor:"5,keyasint,omitempty"`
	Asked    int       `cbor:"6,keyasint,omitempty"` // keys or signatures, as its request says
	Answered int       `cbor:"7,keyasint,omitempty"` // as its result says
	Done     int       `cbor:"8,keyasint,omitempty"` // signatures
	Created  int64     `cbor:"9,keyasint"`           // Unix nanoseconds
	Ended    int64     `cbor:"10,keyasint,omitempty"`
	Gateway  string    `cbor:"11,keyasint,omitempty"`
	Chain    string    `cbor:"12,keyasint,omitempty"`
	Digest   []byte    `cbor:"13,keyasint,omitempty"` // of a key generation, once it has ended
}

// Bounds of a line, in bytes.
const (
	maxLine  = 2048
	maxError = 600
)

func decodeLine(data []byte) (*line, error) {
	var l line
	if err := wire.Decode(data, maxLine, &l); err != nil {
		return nil, fmt.Errorf("%w: line of a job: %w", errDamaged, err)
	}
	return &l, nil
}

// lineOf reads the line of a job; nil if there is none.
func lineOf(tx *bolt.Tx, client, id string) (*line, error) {
	data := tx.Bucket(bucketJobs).Get(join(client, id))
	if data == nil {
		return nil, nil
	}
	return decodeLine(data)
}

// job changes the line of a job of which something was stored at a time (Unix nanoseconds), and
// makes it where there is none.
func (w *write) job(client, id string, stored int64, change func(*line)) error {
	if w.tooOld(stored) {
		return nil
	}
	l, err := lineOf(w.tx, client, id)
	if err != nil {
		return err
	}
	stored = begun(id, stored)
	if l == nil {
		l = &line{State: Accepted, Created: stored}
		if err := errors.Join(count(w.tx, metaJobs, 1), w.enlist(client, id, stored)); err != nil {
			return err
		}
	}
	if stored < l.Created {
		if err := errors.Join(w.strike(client, id, l.Created), w.enlist(client, id, stored)); err != nil {
			return err
		}
		l.Created = stored
	}
	change(l)
	w.touch(client, id)
	return w.tx.Bucket(bucketJobs).Put(join(client, id), wire.Encode(l))
}

// begun is when a job began of which something was stored at a time: when a UUID of version 7
// (RFC 9562, section 5.7) says, where a gateway may have taken that long for its answer. Clients
// make the ids, and what is far from the servers' clock counts for nothing.
func begun(id string, stored int64) int64 {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return stored
	}
	made := int64(binary.BigEndian.Uint64(append([]byte{0, 0}, u[:6]...))) * int64(time.Millisecond)
	if made > stored || made < stored-int64(storedLife) {
		return stored
	}
	return made
}

// takeRequest takes a request that was stored at a time. Where its id was that of a job which
// REQUESTS has forgotten, the line is another job's from here on.
func (w *write) takeRequest(r Request, stored int64) error {
	l, err := lineOf(w.tx, r.Client, r.Job)
	if err != nil {
		return err
	}
	if l != nil && l.State.Ended() && l.Ended < stored && stored-l.Created >= int64(idLife) {
		if err := w.forget(r.Client, r.Job, l.Created, l); err != nil {
			return err
		}
	}
	return w.job(r.Client, r.Job, stored, func(l *line) { l.fromRequest(r) })
}

// tooOld: what was stored then makes no line.
func (w *write) tooOld(stored int64) bool { return stored < w.now.Add(-jobLife).UnixNano() }

// Keys of the two lists of jobs.
func whenKey(client, id string, created int64) []byte {
	return append(be64(uint64(created)), join(client, id)...)
}

func ownedKey(client, id string, created int64) []byte {
	return append(append(prefixed(client), be64(uint64(created))...), id...)
}

func (w *write) enlist(client, id string, created int64) error {
	return errors.Join(w.tx.Bucket(bucketWhen).Put(whenKey(client, id, created), nil),
		w.tx.Bucket(bucketOwned).Put(ownedKey(client, id, created), nil))
}

func (w *write) strike(client, id string, created int64) error {
	return errors.Join(w.tx.Bucket(bucketWhen).Delete(whenKey(client, id, created)),
		w.tx.Bucket(bucketOwned).Delete(ownedKey(client, id, created)))
}

// fromBatch takes what a batch says of its job.
func (l *line) fromBatch(b *batch) {
	l.set(wire.KindKeygen)
	if l.Chain == "" {
		l.Chain = b.chain()
	}
}

// fromRequest takes what a request says.
func (l *line) fromRequest(r Request) {
	l.set(r.Kind)
	l.Asked = r.Count
}

// set takes the kind of what was read first. A result knows better.
func (l *line) set(k wire.Kind) {
	if l.Kind == "" {
		l.Kind = k
	}
}

// fromAnswer takes a result, or what a notice says.
func (l *line) fromAnswer(a answer, of rank, stored time.Time) {
	again := of == rankResult && stored.UnixNano() > l.Ended // RESULTS has forgotten the one before
	if l.Rank > of || l.Rank == rankResult && !again {
		return
	}
	l.Rank, l.State = of, a.state()
	l.Code, l.Error, l.Gateway, l.Ended = a.Code, clip(a.Error, maxError), "", 0
	if l.State.Ended() {
		l.Gateway, l.Ended = a.gateway, stored.UnixNano()
	}
	if of < rankAnswered {
		l.set(a.Kind)
		return
	}
	if a.Kind.Valid() { // that of a job which could not be read may be anything
		l.Kind = a.Kind
	}
	l.Done, l.Digest = a.done, nil
	if a.Kind == wire.KindKeygen {
		l.Digest = a.Digest
	}
	if a.Chain != "" {
		l.Chain = a.Chain
	}
	l.Answered = a.count
}

// clip cuts a text between two runes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}

// job is a line as others see it.
func (l *line) job(tx *bolt.Tx, client, id string) (Job, error) {
	j := Job{
		ID: id, Client: client, Kind: l.Kind, State: l.State, Code: l.Code, Error: l.Error, Count: max(l.Asked, l.Answered),
		Done: l.Done, Created: time.Unix(0, l.Created).UTC(), Gateway: l.Gateway, Chain: l.Chain,
	}
	if l.Ended != 0 {
		j.Ended = time.Unix(0, l.Ended).UTC()
	}
	if l.Kind == wire.KindKeygen {
		made, err := keysOf(tx, client, id)
		if err != nil {
			return Job{}, err
		}
		j.Done = made
		if l.State == Done {
			j.Count = max(j.Count, made)
		}
		if j.Count > 0 {
			j.Done = min(made, j.Count) // an attempt may have been certified that was given up
		}
	}
	r, err := remarkOf(tx, client, target(Remark{Job: id}))
	if err != nil {
		return Job{}, err
	}
	j.Label, j.Metadata = r.Label, r.Metadata
	return j, nil
}

// keysOf counts the keys of a job.
func keysOf(tx *bolt.Tx, client, id string) (n int, err error) {
	for seq := range seqs(tx.Bucket(bucketOfJobs), prefixed(client, id), 0) {
		b, err := batchAt(tx, seq)
		if err != nil {
			return 0, err
		}
		if b != nil && !b.Refused {
			n += b.len()
		}
		if n >= wire.MaxJobKeys { // whatever an entry's writer has put beside it
			break
		}
	}
	return n, nil
}

// takeAnswer takes a message of RESULTS or NOTICES that was read.
func (w *write) takeAnswer(ref wire.JobRef, a answer, of rank, stored time.Time) error {
	if err := w.job(ref.Client, ref.Job, stored.UnixNano(), func(l *line) { l.fromAnswer(a, of, stored) }); err != nil {
		return err
	}
	if of < rankAnswered || a.Kind != wire.KindKeygen || len(a.Digest) != 32 || w.tooOld(stored.UnixNano()) {
		return nil
	}
	digest := hex.EncodeToString(a.Digest)
	if err := w.tx.Bucket(bucketDigests).Put(join(ref.Client, digest), []byte(ref.Job)); err != nil {
		return err
	}
	var orphans []uint64
	for seq := range seqs(w.tx.Bucket(bucketOrphans), prefixed(ref.Client, digest), 0) {
		orphans = append(orphans, seq)
	}
	for _, seq := range orphans {
		b, err := batchAt(w.tx, seq)
		if b == nil || err != nil {
			return err
		}
		b.Job = ref.Job
		if err := w.assign(b); err != nil {
			return err
		}
	}
	return nil
}

// prune takes out jobs that are too old, or too many. A time has not more than so many to take
// out at once.
func (w *write) prune(most int) error {
	const atOnce = 10_000
	have := int(number(w.tx.Bucket(bucketMeta).Get(metaJobs)))
	oldest := uint64(w.now.Add(-jobLife).UnixNano())
	var keys [][]byte
	c := w.tx.Bucket(bucketWhen).Cursor()
	for k, _ := c.First(); k != nil && len(keys) < atOnce; k, _ = c.Next() {
		if len(k) < 8 || number(k[:8]) >= oldest && have-len(keys) <= most {
			break
		}
		keys = append(keys, append([]byte(nil), k...))
	}
	for _, k := range keys {
		client, id, ok := splitPair(k[8:])
		if !ok {
			return fmt.Errorf("%w: list of jobs", errDamaged)
		}
		l, err := lineOf(w.tx, client, id)
		if err != nil {
			return err
		}
		if err := w.forget(client, id, int64(number(k[:8])), l); err != nil {
			return err
		}
	}
	return nil
}

// forget takes a job out of the lists, with its line if there is one.
func (w *write) forget(client, id string, created int64, l *line) error {
	if l != nil && len(l.Digest) > 0 {
		if err := w.tx.Bucket(bucketDigests).Delete(join(client, hex.EncodeToString(l.Digest))); err != nil {
			return err
		}
	}
	return errors.Join(w.strike(client, id, created), w.tx.Bucket(bucketJobs).Delete(join(client, id)), count(w.tx, metaJobs, -1))
}
