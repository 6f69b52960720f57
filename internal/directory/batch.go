package directory

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// batch is the keys of one batch, as the file has them. What follows from the rest is not in
// it: ids, chain codes, addresses.
type batch struct {
	Client     string   `cbor:"1,keyasint"`
	ID         [16]byte `cbor:"2,keyasint"`
	Suite      uint8    `cbor:"3,keyasint"`
	Generation uint32   `cbor:"4,keyasint,omitempty"`
	Made       [32]byte `cbor:"5,keyasint"` // transcript of generation 0
	Created    int64    `cbor:"6,keyasint"` // Unix nanoseconds
	Job        string   `cbor:"7,keyasint,omitempty"`
	Digest     []byte   `cbor:"8,keyasint,omitempty"` // of the job, while Job is not known
	Refused    bool     `cbor:"9,keyasint,omitempty"` // there are two entries: nobody knows which keys are its
	Keys       []byte   `cbor:"-"`                    // public keys, one after the other, behind the rest

	seq uint64 // of its head in KEYS
}

// newBatch is a batch as a verified head proves it. Job may be "".
func newBatch(e *wire.Entry, job string, seq uint64, stored time.Time) *batch {
	b := &batch{
		Client: e.Header.Client, Suite: e.Header.Suite, Generation: e.Generation, Made: e.MadeBy,
		Created: stored.UnixNano(), Job: job, seq: seq,
	}
	if _, err := hex.Decode(b.ID[:], []byte(e.ID)); err != nil {
		panic("directory: id of a verified entry: " + err.Error())
	}
	if job == "" {
		b.Digest = e.Header.Digest[:]
	}
	for i := range e.Keys {
		b.Keys = append(b.Keys, e.Keys[i].PublicKey...)
	}
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode is the record: the length of what is CBOR in two bytes, that, the keys, and a checksum,
// as bbolt has none for its pages and a wrong bit would be another address.
func (b *batch) encode() []byte {
	head := wire.Encode(b)
	data := make([]byte, 0, 2+len(head)+len(b.Keys)+4)
	data = binary.BigEndian.AppendUint16(data, uint16(len(head)))
	data = append(append(data, head...), b.Keys...)
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}

// maxBatchHead bounds the CBOR of a record, in bytes.
const maxBatchHead = 1024

// decodeBatch reads a record. The keys are a part of data.
func decodeBatch(seq uint64, data []byte) (*batch, error) {
	b := &batch{seq: seq}
	if len(data) < 6 {
		return nil, fmt.Errorf("%w: batch %d of %d bytes", errDamaged, seq, len(data))
	}
	body := data[:len(data)-4]
	head, rest := int(binary.BigEndian.Uint16(body)), body[2:]
	if binary.BigEndian.Uint32(data[len(body):]) != crc32.Checksum(body, castagnoli) || head > len(rest) {
		return nil, fmt.Errorf("%w: checksum of batch %d", errDamaged, seq)
	}
	err := wire.Decode(rest[:head], maxBatchHead, b)
	if b.Keys = rest[head:len(rest):len(rest)]; err == nil {
		err = b.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: batch %d: %w", errDamaged, seq, err)
	}
	return b, nil
}

func (b *batch) check() error {
	suite := frost.Suite(b.Suite)
	switch {
	case !suite.Valid(), chainOf(suite) == "":
		return fmt.Errorf("suite %d", b.Suite)
	case !wire.IsToken(b.Client) || b.Job != "" && !wire.IsJobID(b.Job):
		return errors.New("client or job")
	case len(b.Digest) != 0 && len(b.Digest) != 32:
		return errors.New("digest")
	case len(b.Keys) == 0 || len(b.Keys)%suite.PublicKeySize() != 0 || b.len() > frost.MaxBatch:
		return fmt.Errorf("%d bytes of keys", len(b.Keys))
	}
	return nil
}

// chainOf is the chain whose keys a suite has; "" for none.
func chainOf(s frost.Suite) string {
	for _, c := range wire.Chains {
		if c.Suite == s {
			return c.Name
		}
	}
	return ""
}

func (b *batch) chain() string { return chainOf(frost.Suite(b.Suite)) }

func (b *batch) len() int { return len(b.Keys) / frost.Suite(b.Suite).PublicKeySize() }

func (b *batch) public(i int) []byte {
	n := frost.Suite(b.Suite).PublicKeySize()
	return b.Keys[i*n : (i+1)*n]
}

func (b *batch) keyID(i int) string {
	return wire.KeyID{Batch: hex.EncodeToString(b.ID[:]), Index: i}.String()
}

func (b *batch) created() time.Time { return time.Unix(0, b.Created).UTC() }

// continues reports whether a batch is of the same keys, made by the same key generation.
func (b *batch) continues(o *batch) bool {
	return b.Client == o.Client && b.Suite == o.Suite && b.Made == o.Made && string(b.Keys) == string(o.Keys)
}

// key is the key at an index, without its label.
func (b *batch) key(i int, network string) (Key, error) {
	address, err := chain.Address(b.chain(), network, b.public(i))
	if err != nil {
		return Key{}, fmt.Errorf("%w: key %s: %w", errDamaged, b.keyID(i), err)
	}
	code := wire.ChainCode(b.Made, i)
	return Key{
		ID: b.keyID(i), Client: b.Client, Chain: b.chain(), PublicKey: bytes.Clone(b.public(i)), ChainCode: code[:],
		Address: address, Job: b.Job, Generation: b.Generation, Created: b.created(),
	}, nil
}

// batchAt reads the batch whose head has a sequence; nil if there is none. What it returns is good
// for as long as the transaction: one that writes may move the file in memory, and has a copy.
func batchAt(tx *bolt.Tx, seq uint64) (*batch, error) {
	data := tx.Bucket(bucketBatches).Get(be64(seq))
	if data == nil {
		return nil, nil
	}
	if tx.Writable() {
		data = bytes.Clone(data)
	}
	return decodeBatch(seq, data)
}

// batchOf reads the batch of an id; nil if there is none.
func batchOf(tx *bolt.Tx, id [16]byte) (*batch, error) {
	seq := tx.Bucket(bucketIDs).Get(id[:])
	if seq == nil {
		return nil, nil
	}
	return batchAt(tx, number(seq))
}

// put writes a batch.
func (b *batch) put(tx *bolt.Tx) error { return tx.Bucket(bucketBatches).Put(be64(b.seq), b.encode()) }

// takeBatch takes a batch into the file: a new one, or a later generation of one that is there.
func (w *write) takeBatch(b *batch) error {
	standing, err := batchOf(w.tx, b.ID)
	if err != nil {
		return err
	}
	if standing != nil {
		return w.takeAgain(standing, b)
	}
	if b.Job == "" {
		b.Job = string(w.tx.Bucket(bucketDigests).Get(join(b.Client, hex.EncodeToString(b.Digest))))
	}
	if err := errors.Join(
		w.tx.Bucket(bucketIDs).Put(b.ID[:], be64(b.seq)),
		w.tx.Bucket(bucketOwners).Put(append(prefixed(b.Client), be64(b.seq)...), nil),
		w.tx.Bucket(bucketTodo).Put(be64(b.seq), nil),
		count(w.tx, metaTodo, 1), count(w.tx, metaKeys, b.len()), w.noteHour(b)); err != nil {
		return err
	}
	return w.assign(b)
}

// takeAgain takes what a further entry says of a batch that is there.
func (w *write) takeAgain(standing, b *batch) error {
	switch {
	case standing.Refused:
		return nil
	case !standing.continues(b):
		standing.Refused = true
	case b.Generation <= standing.Generation && (standing.Job != "" || b.Job == ""):
		return nil
	default:
		standing.Generation = max(standing.Generation, b.Generation)
		if standing.Job == "" && b.Job != "" {
			standing.Job = b.Job
			return w.assign(standing)
		}
	}
	return standing.put(w.tx)
}

// assign writes a batch, and notes whose it is.
func (w *write) assign(b *batch) error {
	orphan := append(prefixed(b.Client, hex.EncodeToString(b.Digest)), be64(b.seq)...)
	if b.Job == "" {
		return errors.Join(b.put(w.tx), w.tx.Bucket(bucketOrphans).Put(orphan, nil))
	}
	if len(b.Digest) > 0 {
		if err := w.tx.Bucket(bucketOrphans).Delete(orphan); err != nil {
			return err
		}
		b.Digest = nil
	}
	return errors.Join(b.put(w.tx), w.tx.Bucket(bucketOfJobs).Put(append(prefixed(b.Client, b.Job), be64(b.seq)...), nil),
		w.job(b.Client, b.Job, b.Created, func(j *line) { j.fromBatch(b) }))
}

// noteHour notes the first batch of an hour.
func (w *write) noteHour(b *batch) error {
	hours, hour := w.tx.Bucket(bucketHours), be64(uint64(b.Created/int64(time.Hour)))
	if first := hours.Get(hour); first != nil && number(first) <= b.seq {
		return nil
	}
	return hours.Put(hour, be64(b.seq))
}
