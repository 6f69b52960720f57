package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// remarkVersion is the format of remarks in LABELS.
const remarkVersion = 1

// remarkMessage is a remark in LABELS. Whose, and of what, its subject says.
type remarkMessage struct {
	Version  int               `json:"v"`
	Label    string            `json:"label,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	By       string            `json:"by"`
	Time     time.Time         `json:"time"`
}

// MaxBy bounds Remark.By and Request.By, in bytes.
const MaxBy = 64

// maxRemark bounds a remark in LABELS, in bytes. Of texts that are nothing but quotation marks
// less than MaxMetadata pairs fit in.
const maxRemark = 31 << 10

// maxText leaves room beside the text for who said it, and when.
const maxText = maxRemark - 256

// subject of a remark.
func (r Remark) subject() string { return wire.LabelSubject(r.Client, r.Key, r.Job) }

// check holds a remark against what may be stored.
func (r Remark) check() error {
	switch {
	case !wire.IsToken(r.Client):
		return fmt.Errorf("%w: client %.64q", ErrRemark, r.Client)
	case (r.Key == "") == (r.Job == ""):
		return fmt.Errorf("%w: it is of a key or of a job", ErrRemark)
	case r.Job != "" && !wire.IsJobID(r.Job):
		return fmt.Errorf("%w: job %.64q", ErrRemark, r.Job)
	case len(r.By) > MaxBy || !isText(r.By):
		return fmt.Errorf("%w: who made it", ErrRemark)
	}
	if r.Key != "" {
		if _, err := wire.ParseKeyID(r.Key); err != nil {
			return fmt.Errorf("%w: %w", ErrRemark, err)
		}
	}
	return r.CheckText()
}

// CheckText is ErrRemark where label and metadata may not be stored, of whatever they are.
func (r Remark) CheckText() error {
	switch {
	case len(r.Label) > MaxLabel || !isText(r.Label):
		return fmt.Errorf("%w: a label has up to %d bytes of UTF-8, without control characters", ErrRemark, MaxLabel)
	case len(r.Metadata) > MaxMetadata:
		return fmt.Errorf("%w: %d pairs of metadata, and it has up to %d", ErrRemark, len(r.Metadata), MaxMetadata)
	}
	for name, value := range r.Metadata {
		if name == "" || len(name) > MaxName || len(value) > MaxValue || !isText(name) || !isText(value) {
			return fmt.Errorf("%w: metadata: names have 1 to %d bytes and values up to %d, of UTF-8 without control characters",
				ErrRemark, MaxName, MaxValue)
		}
	}
	data, err := Remark{Label: r.Label, Metadata: r.Metadata}.encode()
	if err == nil && len(data) > maxText {
		err = fmt.Errorf("%w: label and metadata are larger than LABELS takes", ErrRemark)
	}
	return err
}

// isText: valid UTF-8 without control characters, line ends and changes of direction: what a
// terminal or a page shows is what stands there.
func isText(s string) bool {
	for _, r := range s {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// encode is the remark as LABELS has it.
func (r Remark) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(remarkMessage{remarkVersion, r.Label, r.Metadata, r.By, r.Time.UTC()})
	if err == nil && b.Len() > maxRemark {
		err = fmt.Errorf("%w: it is larger than LABELS takes", ErrRemark)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// decodeRemark reads a message of LABELS.
func decodeRemark(subject string, data []byte) (Remark, error) {
	ref, err := wire.ParseLabel(subject)
	if err != nil {
		return Remark{}, err
	}
	var msg remarkMessage
	if err := strict(data, maxRemark, &msg); err != nil {
		return Remark{}, fmt.Errorf("%w: %w", ErrRemark, err)
	}
	if msg.Version != remarkVersion {
		return Remark{}, fmt.Errorf("%w: its format is %d, and this program reads %d", ErrRemark, msg.Version, remarkVersion)
	}
	r := Remark{
		Client: ref.Client, Key: ref.Key, Job: ref.Job, Label: msg.Label, Metadata: msg.Metadata, By: msg.By, Time: msg.Time,
	}
	return r, r.check()
}

// strict reads one JSON value without unknown fields.
func strict(data []byte, most int, v any) error {
	if len(data) > most {
		return fmt.Errorf("%d bytes are more than %d", len(data), most)
	}
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}

// stored is a remark as the file has it.
type stored struct {
	Label    string            `cbor:"1,keyasint,omitempty"`
	Metadata map[string]string `cbor:"2,keyasint,omitempty"`
}

// target names what a remark is of, among its client's: k and a key's id, or j and a job's.
func target(r Remark) string {
	if r.Key != "" {
		return "k" + r.Key
	}
	return "j" + r.Job
}

// remarkOf reads a remark; an empty one if there is none.
func remarkOf(tx *bolt.Tx, client, target string) (s stored, err error) {
	data := tx.Bucket(bucketRemarks).Get(join(client, target))
	if data == nil {
		return s, nil
	}
	if err := wire.Decode(data, maxRemark, &s); err != nil {
		return s, fmt.Errorf("%w: remark: %w", errDamaged, err)
	}
	return s, nil
}

// takeRemark has a remark replace what was said before.
func (w *write) takeRemark(r Remark) error {
	of := target(r)
	before, err := remarkOf(w.tx, r.Client, of)
	if err != nil {
		return err
	}
	labels, remarks := w.tx.Bucket(bucketLabels), w.tx.Bucket(bucketRemarks)
	if before.Label != "" {
		err = labels.Delete(join(r.Client, before.Label, of))
	}
	if r.Label != "" {
		err = errors.Join(err, labels.Put(join(r.Client, r.Label, of), nil))
	}
	if r.Label == "" && len(r.Metadata) == 0 {
		err = errors.Join(err, remarks.Delete(join(r.Client, of)))
	} else {
		err = errors.Join(err, remarks.Put(join(r.Client, of), wire.Encode(stored{r.Label, r.Metadata})))
	}
	if r.Job != "" {
		w.touch(r.Client, r.Job)
	}
	return err
}

// dropRemarks forgets all remarks: LABELS begins anew.
func (w *write) dropRemarks() error {
	for _, name := range [][]byte{bucketRemarks, bucketLabels} {
		if err := w.tx.DeleteBucket(name); err != nil {
			return err
		}
		if _, err := w.tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// remark puts on a key what is said of it: its own label and metadata, or else its job's.
func (k *Key) remark(tx *bolt.Tx) error {
	own, err := remarkOf(tx, k.Client, target(Remark{Key: k.ID}))
	if err != nil {
		return err
	}
	k.Label, k.Metadata = own.Label, own.Metadata
	if k.Job == "" || k.Label != "" && len(k.Metadata) > 0 {
		return nil
	}
	job, err := remarkOf(tx, k.Client, target(Remark{Job: k.Job}))
	if err != nil {
		return err
	}
	if k.Label == "" {
		k.Label = job.Label
	}
	if len(k.Metadata) == 0 {
		k.Metadata = job.Metadata
	}
	return nil
}
