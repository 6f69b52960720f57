package directory

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Job is the job with this id. ErrNotFound also where it is not client's; "" is any client.
func (d *Directory) Job(client, id string) (j Job, err error) {
	if !wire.IsJobID(id) {
		return Job{}, ErrNotFound
	}
	err = d.file.Load().view(func(tx *bolt.Tx) error {
		owner := client
		if owner == "" {
			owner = ownerOf(tx, id)
		}
		l, err := lineOf(tx, owner, id)
		if err != nil {
			return err
		}
		if l == nil {
			return ErrNotFound
		}
		j, err = l.job(tx, owner, id)
		return err
	})
	return j, err
}

// ownerOf looks for the client of a job: there are few clients, and one look for each.
func ownerOf(tx *bolt.Tx, id string) string {
	c := tx.Bucket(bucketJobs).Cursor()
	for k, _ := c.First(); k != nil; {
		client, _, ok := splitPair(k)
		if !ok {
			return ""
		}
		if tx.Bucket(bucketJobs).Get(join(client, id)) != nil {
			return client
		}
		k, _ = c.Seek(append([]byte(client), 1)) // behind all of that client's
	}
	return ""
}

// Jobs is one page of the jobs that q chooses. A page looks at 10,000 jobs at most, and then
// ends with a cursor.
func (d *Directory) Jobs(q JobQuery) (page JobPage, err error) {
	after, err := base64.RawURLEncoding.Strict().DecodeString(q.After)
	if err != nil || len(after) > maxCursor || q.After != "" && len(after) < 10 {
		return JobPage{}, ErrCursor
	}
	err = d.file.Load().view(func(tx *bolt.Tx) error {
		page, err = listJobs(tx, q, after)
		return err
	})
	return page, err
}

// listJobs goes backwards through one of the two lists, from behind a cursor, which is the key of
// the last job of the page before in the list of all: time, client, job.
func listJobs(tx *bolt.Tx, q JobQuery, after []byte) (page JobPage, err error) {
	list := tx.Bucket(bucketWhen).Cursor()
	prefix := []byte(nil)
	split := func(k []byte) (uint64, string, string, bool) {
		if len(k) < 8 {
			return 0, "", "", false
		}
		client, id, ok := splitPair(k[8:])
		return number(k[:8]), client, id, ok
	}
	start := after
	if q.Client != "" {
		list, prefix = tx.Bucket(bucketOwned).Cursor(), prefixed(q.Client)
		split = func(k []byte) (uint64, string, string, bool) {
			rest := k[len(prefix):]
			if len(rest) < 8 {
				return 0, "", "", false
			}
			return number(rest[:8]), q.Client, string(rest[8:]), true
		}
		if len(after) > 0 {
			_, id, ok := splitPair(after[8:])
			if !ok {
				return page, ErrCursor
			}
			start = append(append(bytes.Clone(prefix), after[:8]...), id...)
		}
	}
	var k []byte
	switch {
	case len(start) > 0:
		k = before(list, start)
	case !q.Until.IsZero():
		k = before(list, append(bytes.Clone(prefix), be64(nanos(q.Until))...))
	case prefix != nil:
		k = before(list, append(bytes.Clone(prefix[:len(prefix)-1]), 1))
	default:
		k, _ = list.Last()
	}
	limit := min(max(q.Limit, 1), MaxPage)
	var last []byte
	for looked := 0; k != nil && bytes.HasPrefix(k, prefix); k, _ = list.Prev() {
		created, client, id, ok := split(k)
		if !ok {
			return page, fmt.Errorf("%w: list of jobs", errDamaged)
		}
		if !q.Since.IsZero() && created < nanos(q.Since) {
			break
		}
		if len(page.Jobs) == limit || looked == maxJobsAPage {
			page.Next = base64.RawURLEncoding.EncodeToString(last)
			break
		}
		looked++
		last = whenKey(client, id, int64(created))
		if !q.Until.IsZero() && created >= nanos(q.Until) {
			continue
		}
		l, err := lineOf(tx, client, id)
		if err != nil {
			return page, err
		}
		if l == nil || q.Kind != "" && l.Kind != q.Kind || q.State != "" && l.State != q.State {
			continue
		}
		j, err := l.job(tx, client, id)
		if err != nil {
			return page, err
		}
		page.Jobs = append(page.Jobs, j)
	}
	return page, nil
}

// nanos is a time in Unix nanoseconds, as lists have it: what is before or after all that have
// such a number is the first or the last of them.
func nanos(t time.Time) uint64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s > math.MaxInt64/int64(time.Second)-1:
		return math.MaxInt64
	}
	return uint64(t.UnixNano())
}

// before moves to the last key that is less than one.
func before(c *bolt.Cursor, key []byte) []byte {
	if k, _ := c.Seek(key); k == nil {
		k, _ = c.Last()
		return k
	}
	k, _ := c.Prev()
	return k
}
