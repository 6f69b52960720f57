package reload

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// news is what a look brought.
type news struct {
	Taken
	err       error // not nil only if it has to be said
	since     time.Time
	recovered bool
}

// restless is at how many looks in a row files may be others than at the one before until
// somebody is told: what is in them, a revocation say, does not come into force so.
const restless = 15

var errRestless = fmt.Errorf("they are written anew all the time, and count once they stand still for %s; SIGHUP takes them "+
	"as they are", every)

// look reads a thing's files, and has them judged if they are news and stand still, or
// if they are refused so far: what is wrong may be elsewhere.
func (w *watched) look(now time.Time, asked, atOnce bool) news {
	texts, err := w.read()
	defer func() {
		for _, t := range texts {
			t.Wipe()
		}
	}()
	saw := digest(texts, err, w.others())
	still := atOnce || saw == w.last
	w.last = saw
	if w.moved++; still {
		w.moved = 0
	}
	since, before := w.failure()
	if !still && w.moved < restless || still && !atOnce && before == nil && saw == w.judged {
		return news{}
	}
	var taken Taken
	switch {
	case !still:
		err = errRestless
	case err == nil:
		taken, err = w.Take(exposed(texts))
	}
	w.judged = saw
	w.note(err, now)
	switch {
	case err == nil:
		return news{Taken: taken, recovered: before != nil}
	case asked || before == nil || before.Error() != err.Error():
		if before == nil {
			since = now
		}
		return news{err: err, since: since}
	}
	return news{}
}

// note keeps why the files are refused, and since when.
func (w *watched) note(err error, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.since = now
	}
	w.err = err
}

// read reads all files, or says which it can't.
func (w *watched) read() (texts []*secret.Bytes, err error) {
	for _, f := range w.Files {
		text, err := f.Text()
		if err != nil {
			return texts, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// others are what the files hold that the first ones name, as far as they can be read.
func (w *watched) others() (all []byte) {
	if w.Also == nil {
		return nil
	}
	for _, f := range w.Also() {
		var texts []*secret.Bytes
		text, err := f.Text()
		if err == nil {
			texts = append(texts, text)
			defer text.Wipe()
		}
		sum := digest(texts, err, nil)
		all = append(all, sum[:]...)
	}
	return all
}

func exposed(texts []*secret.Bytes) [][]byte {
	all := make([][]byte, len(texts))
	for i, t := range texts {
		all[i] = t.Expose()
	}
	return all
}

// digest tells apart what looks saw. The zero value is none.
func digest(texts []*secret.Bytes, err error, others []byte) (sum [32]byte) {
	h := sha256.New()
	for _, t := range texts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(t.Expose())))
		h.Write(size[:])
		h.Write(t.Expose())
	}
	if err != nil {
		h.Write([]byte(err.Error()))
	}
	h.Write(others)
	h.Sum(sum[:0])
	return sum
}
