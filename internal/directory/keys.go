package directory

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"strings"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What one page looks at, at most, beside what it returns.
const (
	maxBatchesAPage = 2048
	maxLabelsAPage  = 10_000
	maxJobsAPage    = 10_000
)

// batchID is a key's batch as the file has it. ParseKeyID has read it.
func batchID(id wire.KeyID) (b [16]byte) {
	_, _ = hex.Decode(b[:], []byte(id.Batch))
	return b
}

// Key is the key with this id. ErrNotFound also where it is not client's; "" is any client.
func (d *Directory) Key(client, id string) (k Key, err error) {
	parsed, err := wire.ParseKeyID(id)
	if err != nil {
		return Key{}, ErrNotFound
	}
	err = d.file.Load().view(func(tx *bolt.Tx) error {
		k, err = d.key(tx, client, parsed)
		return err
	})
	return k, err
}

func (d *Directory) key(tx *bolt.Tx, client string, id wire.KeyID) (Key, error) {
	b, err := batchOf(tx, batchID(id))
	if err != nil {
		return Key{}, err
	}
	if b == nil || b.Refused || id.Index >= b.len() || client != "" && b.Client != client {
		return Key{}, ErrNotFound
	}
	k, err := b.key(id.Index, d.cfg.Manifest.Network)
	if err != nil {
		return Key{}, err
	}
	return k, k.remark(tx)
}

// seqs are the sequences that stand behind a prefix in a bucket, from one on.
func seqs(b *bolt.Bucket, prefix []byte, from uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		c := b.Cursor()
		k, _ := c.Seek(append(bytes.Clone(prefix), be64(from)...))
		for ; k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			if len(k) == len(prefix)+8 && !yield(number(k[len(prefix):])) {
				return
			}
		}
	}
}

// Keys is one page of the keys that q chooses. ErrCursor for a cursor that is none. A page looks
// at 2,048 batches at most, and where labels are asked for at 10,000 of those, and then ends
// with a cursor.
func (d *Directory) Keys(q KeyQuery) (page KeyPage, err error) {
	at, err := readCursor(q.After, q.Label != "" || q.Text != "")
	if err != nil {
		return KeyPage{}, err
	}
	err = d.file.Load().view(func(tx *bolt.Tx) error {
		p := &keyPage{d: d, tx: tx, q: q, limit: min(max(q.Limit, 1), MaxPage), left: maxBatchesAPage}
		if q.Label != "" || q.Text != "" {
			err = p.byLabel(at)
		} else {
			err = p.bySequence(at)
		}
		page = KeyPage{Keys: p.keys, Next: p.next}
		return err
	})
	return page, err
}

// keyPage is one in the making.
type keyPage struct {
	d     *Directory
	tx    *bolt.Tx
	q     KeyQuery
	limit int
	left  int // batches that may be looked at
	keys  []Key
	next  string
}

// cursor is where the next page begins: at a key of a batch, of those that have the label at an
// entry of the index of labels.
type cursor struct {
	seq   uint64
	index uint32
	label []byte
}

const maxCursor = 512

func (c cursor) String() string {
	text := binary.BigEndian.AppendUint32(be64(c.seq), c.index)
	return base64.RawURLEncoding.EncodeToString(append(text, c.label...))
}

func readCursor(text string, labels bool) (c cursor, err error) {
	if text == "" {
		return c, nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < 12 || len(data) > maxCursor || labels != (len(data) > 12) {
		return c, ErrCursor
	}
	return cursor{number(data[:8]), binary.BigEndian.Uint32(data[8:12]), data[12:]}, nil
}

// bySequence lists in the order of KEYS.
func (p *keyPage) bySequence(at cursor) error {
	from := at.seq
	if !p.q.Since.IsZero() {
		from = max(from, p.firstSince())
	}
	for seq := range p.sequences(from) {
		if p.left--; p.left < 0 {
			p.next = cursor{seq: seq}.String()
			return nil
		}
		first := 0
		if seq == at.seq {
			first = int(at.index)
		}
		if more, err := p.batch(seq, first, nil, nil); !more || err != nil {
			return err
		}
	}
	return nil
}

// sequences are those of the batches that may be chosen.
func (p *keyPage) sequences(from uint64) iter.Seq[uint64] {
	switch {
	case p.q.Client != "" && p.q.Job != "":
		return seqs(p.tx.Bucket(bucketOfJobs), prefixed(p.q.Client, p.q.Job), from)
	case p.q.Client != "":
		return seqs(p.tx.Bucket(bucketOwners), prefixed(p.q.Client), from)
	}
	return seqs(p.tx.Bucket(bucketBatches), nil, from)
}

// firstSince is a sequence before the first batch that was stored since then. The hour before is
// taken too: a server's clock may have been set.
func (p *keyPage) firstSince() uint64 {
	c := p.tx.Bucket(bucketHours).Cursor()
	hour := max(p.q.Since.Unix()/3600-1, 0)
	if k, v := c.Seek(be64(uint64(hour))); k != nil {
		first := number(v)
		if k, v = c.Prev(); k != nil {
			first = min(first, number(v))
		}
		return first
	}
	if _, v := c.Last(); v != nil {
		return number(v)
	}
	return 0
}

// batch takes the keys of a batch that are chosen, from an index on. It is false where the page
// is full. accept says more of a key; label is that entry of the index for the cursor.
func (p *keyPage) batch(seq uint64, first int, label []byte, accept func(Key) bool) (more bool, err error) {
	b, err := batchAt(p.tx, seq)
	if b == nil || err != nil || !p.wants(b) {
		return err == nil, err
	}
	for i := first; i < b.len(); i++ {
		if len(p.keys) == p.limit {
			p.next = cursor{seq, uint32(i), label}.String()
			return false, nil
		}
		k, err := b.key(i, p.d.cfg.Manifest.Network)
		if err == nil {
			err = k.remark(p.tx)
		}
		if err != nil {
			return false, err
		}
		if accept == nil || accept(k) {
			p.keys = append(p.keys, k)
		}
	}
	return true, nil
}

// wants reports whether keys of a batch may be chosen.
func (p *keyPage) wants(b *batch) bool {
	q := p.q
	return !b.Refused && (q.Client == "" || q.Client == b.Client) && (q.Chain == "" || q.Chain == b.chain()) &&
		(q.Job == "" || q.Job == b.Job) && !b.created().Before(q.Since) && (q.Until.IsZero() || b.created().Before(q.Until))
}

// byLabel lists in the order of clients, labels, and what has them.
func (p *keyPage) byLabel(at cursor) error {
	text, looked := strings.ToLower(p.q.Text), 0
	start, prefix := at.label, []byte(nil)
	if p.q.Client != "" {
		if prefix = prefixed(p.q.Client); p.q.Label != "" {
			prefix = prefixed(p.q.Client, p.q.Label)
		}
	}
	if start == nil {
		start = prefix
	}
	c := p.tx.Bucket(bucketLabels).Cursor()
	for k, _ := c.Seek(start); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if looked++; looked > maxLabelsAPage || p.left <= 0 {
			p.next = cursor{label: bytes.Clone(k)}.String()
			return nil
		}
		e, ok := splitLabel(k)
		if !ok {
			return errDamaged
		}
		if p.q.Label != "" && e.label != p.q.Label || text != "" && !strings.Contains(strings.ToLower(e.label), text) {
			continue
		}
		from := cursor{}
		if bytes.Equal(k, at.label) {
			from = at
		}
		if more, err := p.labelled(e, k, from); !more || err != nil {
			return err
		}
	}
	return nil
}

// labelled takes what has a label: a key, or those of a job that have none of their own.
func (p *keyPage) labelled(e labelEntry, entry []byte, from cursor) (more bool, err error) {
	if id, ok := strings.CutPrefix(e.target, "k"); ok {
		parsed, err := wire.ParseKeyID(id)
		if err != nil {
			return true, nil
		}
		return p.one(parsed, e, entry)
	}
	has := func(k Key) bool {
		own, err := remarkOf(p.tx, k.Client, "k"+k.ID)
		return err == nil && own.Label == ""
	}
	for seq := range seqs(p.tx.Bucket(bucketOfJobs), prefixed(e.client, e.target[1:]), from.seq) {
		first := 0
		if seq == from.seq {
			first = int(from.index)
		}
		p.left--
		if more, err := p.batch(seq, first, bytes.Clone(entry), has); !more || err != nil {
			return more, err
		}
	}
	return true, nil
}

// one takes a single key.
func (p *keyPage) one(id wire.KeyID, e labelEntry, entry []byte) (more bool, err error) {
	b, err := batchOf(p.tx, batchID(id))
	p.left--
	if b == nil || err != nil || !p.wants(b) || b.Client != e.client || id.Index >= b.len() {
		return err == nil, err
	}
	if len(p.keys) == p.limit {
		p.next = cursor{label: bytes.Clone(entry)}.String()
		return false, nil
	}
	k, err := b.key(id.Index, p.d.cfg.Manifest.Network)
	if err == nil {
		err = k.remark(p.tx)
	}
	if err == nil {
		p.keys = append(p.keys, k)
	}
	return err == nil, err
}

// labelEntry is a key of the index of labels.
type labelEntry struct{ client, label, target string }

func splitLabel(k []byte) (labelEntry, bool) {
	parts := strings.Split(string(k), "\x00")
	if len(parts) != 3 || len(parts[2]) < 2 {
		return labelEntry{}, false
	}
	return labelEntry{parts[0], parts[1], parts[2]}, true
}

// splitPair reads what join made of two texts.
func splitPair(k []byte) (a, b string, ok bool) {
	a, b, ok = strings.Cut(string(k), "\x00")
	return a, b, ok && utf8.ValidString(a)
}
