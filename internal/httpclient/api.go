package httpclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Key is a key of the fleet, as a gateway's directory has it.
type Key struct {
	ID         string            `json:"id"`
	Client     string            `json:"client"`
	Chain      string            `json:"chain"`
	PublicKey  string            `json:"public_key"` // hexadecimal
	ChainCode  string            `json:"chain_code"` // hexadecimal
	Address    string            `json:"address"`
	Descriptor string            `json:"descriptor,omitempty"` // bitcoin
	Xpub       string            `json:"xpub,omitempty"`       // bitcoin
	Job        string            `json:"job"`                  // that asked for it
	Generation uint32            `json:"generation"`
	Created    time.Time         `json:"created"`
	Label      string            `json:"label"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

// Job is a job of the fleet, as a gateway's directory has it.
type Job struct {
	ID       string            `json:"id"`
	Client   string            `json:"client"`
	Kind     string            `json:"kind"`
	Status   string            `json:"status"` // accepted, pending, done, partial, denied or failed
	Code     string            `json:"code,omitempty"`
	Error    string            `json:"error,omitempty"`
	Count    int               `json:"count"` // keys or signatures that it asks for; 0: unknown
	Done     int               `json:"done"`  // of them
	Created  time.Time         `json:"created"`
	EndedAt  time.Time         `json:"ended,omitzero"` // zero: it has not
	Gateway  string            `json:"gateway,omitempty"`
	Chain    string            `json:"chain,omitempty"`
	Label    string            `json:"label"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Ended reports whether a job has its answer.
func (j Job) Ended() bool { return j.Status != "accepted" && j.Status != "pending" }

// Descriptor is what a watch-only wallet needs of a bitcoin key.
type Descriptor struct {
	Descriptor string `json:"descriptor"` // both branches: BIP 389
	Receive    string `json:"receive"`
	Change     string `json:"change"`
	Xpub       string `json:"xpub"`
}

// KeyQuery chooses keys. What is zero chooses nothing away.
type KeyQuery struct {
	Chain, Job   string
	Label        string // exactly
	Text         string // part of a label
	Since, Until time.Time
}

func (q KeyQuery) values() url.Values {
	v := url.Values{}
	set(v, "chain", q.Chain)
	set(v, "job", q.Job)
	set(v, "label", q.Label)
	set(v, "text", q.Text)
	setTimes(v, q.Since, q.Until)
	return v
}

// JobQuery chooses jobs. What is zero chooses nothing away.
type JobQuery struct {
	Kind, Status string
	Since, Until time.Time
}

func (q JobQuery) values() url.Values {
	v := url.Values{}
	set(v, "kind", q.Kind)
	set(v, "status", q.Status)
	setTimes(v, q.Since, q.Until)
	return v
}

func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

func setTimes(v url.Values, since, until time.Time) {
	for name, t := range map[string]time.Time{"since": since, "until": until} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
}

// maxPage is how many keys or jobs a gateway gives at a time.
const maxPage = 1000

// Keys yields the keys that a query chooses, oldest first, limit of them at most; 0: all.
func (c *Client) Keys(ctx context.Context, q KeyQuery, limit int) iter.Seq2[Key, error] {
	return pages[Key](ctx, c, "/v1/keys", q.values(), limit, "keys")
}

// Jobs yields the jobs that a query chooses, newest first, limit of them at most; 0: all.
func (c *Client) Jobs(ctx context.Context, q JobQuery, limit int) iter.Seq2[Job, error] {
	return pages[Job](ctx, c, "/v1/jobs", q.values(), limit, "jobs")
}

// pages follows a list from page to page. A cursor that comes again would lead in circles.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values, limit int,
	field string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for left := limit; ; {
			size := maxPage
			if limit > 0 {
				size = min(left, maxPage)
			}
			query.Set("limit", strconv.Itoa(size))
			page := map[string]json.RawMessage{}
			var list []T
			var next string
			err := c.get(ctx, path, query, &page)
			if err == nil {
				err = unmarshal(page[field], &list)
			}
			if raw := page["next_cursor"]; err == nil && raw != nil {
				err = unmarshal(raw, &next)
			}
			if err == nil && next != "" && next == query.Get("cursor") {
				err = fmt.Errorf("%s: the cursor of the next page is this page's", path)
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, one := range list[:min(len(list), size)] {
				if !yield(one, nil) {
					return
				}
			}
			if left -= len(list); next == "" || limit > 0 && left <= 0 {
				return
			}
			query.Set("cursor", next)
		}
	}
}

func unmarshal(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("a gateway's answer can't be used: %w", err)
	}
	return nil
}

// Key is the key with this id.
func (c *Client) Key(ctx context.Context, id string) (k Key, err error) {
	err = c.get(ctx, "/v1/keys/"+url.PathEscape(id), nil, &k)
	return k, err
}

// KeyOf is the key with this address.
func (c *Client) KeyOf(ctx context.Context, address string) (Key, error) {
	var found struct {
		Key Key `json:"key"`
	}
	err := c.get(ctx, "/v1/addresses/"+url.PathEscape(address), nil, &found)
	return found.Key, err
}

// DescriptorOf is the descriptor of the bitcoin key with this id.
func (c *Client) DescriptorOf(ctx context.Context, id string) (d Descriptor, err error) {
	err = c.get(ctx, "/v1/keys/"+url.PathEscape(id)+"/descriptor", nil, &d)
	return d, err
}

// Remark is what is said of a key or of a job's keys: it replaces what was said before.
type Remark struct {
	Label    string            `json:"label"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// LabelKey says something of a key.
func (c *Client) LabelKey(ctx context.Context, id string, r Remark) (k Key, err error) {
	err = c.patch(ctx, "/v1/keys/"+url.PathEscape(id), r, &k)
	return k, err
}

// LabelJob says something of all keys of a job.
func (c *Client) LabelJob(ctx context.Context, id string, r Remark) (j Job, err error) {
	err = c.patch(ctx, "/v1/jobs/"+url.PathEscape(id), r, &j)
	return j, err
}

func (c *Client) patch(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, request{method: http.MethodPatch, path: path, body: text}, into)
}

// Job is the job with this id.
func (c *Client) Job(ctx context.Context, id string) (j Job, err error) {
	err = c.get(ctx, "/v1/jobs/"+url.PathEscape(id), nil, &j)
	return j, err
}

// Result is a stored result, byte for byte, the gateway that signed it, and its signature in
// hexadecimal: what proves it to whoever has the fleet's access list.
func (c *Client) Result(ctx context.Context, id string) (payload []byte, gateway, signature string, err error) {
	r := request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id) + "/result"}
	err = c.ask(ctx, r, attempt, func(answer *http.Response) (err error) {
		gateway, signature = answer.Header.Get("Frost-Gateway"), answer.Header.Get("Frost-Signature")
		if payload, err = io.ReadAll(io.LimitReader(answer.Body, maxBody+1)); err == nil && len(payload) > maxBody {
			err = fmt.Errorf("a result of more than %d MiB", maxBody>>20)
		}
		return err
	})
	return payload, gateway, signature, err
}
