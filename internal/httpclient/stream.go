package httpclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// errSilent ends a stream on which nothing came.
var errSilent = fmt.Errorf("nothing came for %v", silence)

// alive is a stream that ends when nothing comes.
type alive struct {
	io.Reader
	timer *time.Timer
}

func (a alive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	a.timer.Reset(silence)
	return n, err
}

// stream has use read the body of an answer of one type as it comes. It asks again only until
// there is a first byte to read.
func (c *Client) stream(ctx context.Context, r request, use func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer timer.Stop()
	var used error
	err := c.ask(ctx, r, 0, func(answer *http.Response) error {
		if answer.StatusCode == http.StatusNoContent {
			return nil // nothing will come any more
		}
		kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
		if kind != r.accept {
			return fmt.Errorf("an answer of type %.64q, not %s", kind, r.accept)
		}
		used = use(alive{answer.Body, timer})
		return nil
	})
	if errors.Is(context.Cause(ctx), errSilent) && (err != nil || used != nil) {
		return fmt.Errorf("%s: %w", strings.Join(c.o.URLs, ", "), errSilent)
	}
	return errors.Join(err, used)
}

// Export streams all keys that a query chooses into w, as "ndjson" or "csv".
func (c *Client) Export(ctx context.Context, q KeyQuery, format string, w io.Writer) error {
	accept := map[string]string{"ndjson": "application/x-ndjson", "csv": "text/csv"}[format]
	query := q.values()
	query.Set("format", format)
	return c.stream(ctx, request{method: http.MethodGet, path: "/v1/keys/export", query: query, accept: accept},
		func(body io.Reader) error {
			_, err := io.Copy(w, body)
			return err
		})
}

// event is one of a stream of server-sent events.
type event struct {
	name, id string
	data     []byte
}

// maxEvent bounds the data of one event.
const maxEvent = 1 << 20

// events reads server-sent events (WHATWG HTML, section 9.2) until the stream ends. An event
// that is cut off is none.
func events(r io.Reader) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxEvent)
		lines.Split(splitLines)
		e := event{}
		for lines.Scan() {
			line := lines.Bytes()
			if len(line) == 0 {
				if e.data != nil && !yield(e, nil) {
					return
				}
				e = event{id: e.id}
				continue
			}
			field, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch string(field) {
			case "event":
				e.name = string(value)
			case "id":
				e.id = string(value)
			case "data":
				if e.data != nil {
					e.data = append(e.data, '\n')
				}
				if e.data = append(e.data, value...); e.data == nil {
					e.data = []byte{}
				}
			}
			if len(e.data) > maxEvent {
				yield(event{}, bufio.ErrTooLong)
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(event{}, err)
		}
	}
}

// splitLines is bufio.ScanLines for lines that end with LF, CR LF, or CR.
func splitLines(data []byte, end bool) (advance int, line []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && end && len(data) > 0:
		return len(data), data, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 < len(data) || end:
		return i + 1, data[:i], nil
	}
	return 0, nil, nil // an LF may follow
}

// Watch yields a job now and whenever it changes, until it has ended. Where a gateway goes
// away, the next one is asked.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		r := request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id) + "/events", accept: "text/event-stream"}
		pause := backoff.Backoff{Min: 200 * time.Millisecond, Max: 5 * time.Second}
		for {
			opened, ended := false, false // ended: the job, or its reader
			err := c.stream(ctx, r, func(body io.Reader) error {
				opened = true
				for e, err := range events(body) {
					if err != nil {
						return err
					}
					if e.name != "job" {
						continue
					}
					var job Job
					if err := unmarshal(e.data, &job); err != nil {
						opened = false // it would say the same again
						return err
					}
					r.lastEvent = e.id
					pause.Reset()
					if ended = !yield(job, nil) || job.Ended(); ended {
						return nil
					}
				}
				return nil
			})
			if ended {
				return
			}
			if err == nil && !opened { // it has ended, and that was told before
				job, err := c.Job(ctx, id)
				yield(job, err)
				return
			}
			if opened && pause.Wait(ctx) == nil {
				continue
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			yield(Job{}, err)
			return
		}
	}
}
