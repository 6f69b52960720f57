package httpapi

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// The media types of exports.
const (
	ndjsonType = "application/x-ndjson"
	csvType    = "text/csv"
)

var _ = resource((*Server).addExport)

func (s *Server) addExport() {
	register(s, operation{
		id: "exportKeys", method: http.MethodGet, path: "/v1/keys/export", tag: "Keys", scopes: []Scope{Read},
		summary: "Export keys", produces: []string{ndjsonType, csvType},
		text: "All keys that the parameters choose, one a line: JSON as GET /v1/keys has it, or CSV with a header line. An " +
			"export that something ends early is cut off within the last chunk, so that clients see it as broken.",
	}, s.exportKeys)
}

// ExportInput chooses keys and a format.
type ExportInput struct {
	Format string `query:"format" enum:"ndjson,csv" default:"ndjson"`
	KeyFilter
}

func (s *Server) exportKeys(ctx context.Context, in *ExportInput) (*huma.StreamResponse, error) {
	q := in.query(s.principal(ctx))
	q.Limit = directory.MaxPage
	page, err := s.cfg.Directory.Keys(q) // so that what is wrong with the question is a problem
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		media, name, write := ndjsonType, "keys.jsonl", s.writeNDJSON
		if in.Format == "csv" {
			media, name, write = csvType+"; charset=utf-8", "keys.csv", s.writeCSV
		}
		hc.SetHeader("Content-Type", media)
		hc.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
		hc.SetStatus(http.StatusOK)
		if r, _ := humagoUnwrap(hc); r.Method == http.MethodHead {
			return
		}
		if err := s.export(ctx, hc.BodyWriter(), q, page, write); err != nil {
			s.cfg.Log.Debug("an export broke off", "request", requestOf(ctx).id, "err", err)
			panic(http.ErrAbortHandler) // cuts the answer off: nobody takes it for whole
		}
	}}, nil
}

// pageTime is for the reader of an export to take a page.
const pageTime = 30 * time.Second

// export writes pages until there is none, each within a time.
func (s *Server) export(ctx context.Context, w io.Writer, q directory.KeyQuery, page directory.KeyPage,
	write func(io.Writer, []Key, bool) error) error {
	out := bufio.NewWriterSize(w, 64<<10)
	for first := true; ; first = false {
		_ = requestOf(ctx).link.SetWriteDeadline(time.Now().Add(pageTime)) // tests have no connection
		keys := make([]Key, len(page.Keys))
		for i := range page.Keys {
			keys[i] = s.view(&page.Keys[i])
		}
		if err := write(out, keys, first); err != nil {
			return err
		}
		if page.Next == "" {
			return out.Flush()
		}
		if err := cmp.Or(ctx.Err(), s.draining.Err()); err != nil {
			return err
		}
		if !s.cfg.Callers.still(s.principal(ctx), Read, s.cfg.Now()) {
			return errors.New("its caller may read no more")
		}
		q.After = page.Next
		var err error
		if page, err = s.cfg.Directory.Keys(q); err != nil {
			return err
		}
	}
}

func (s *Server) writeNDJSON(w io.Writer, keys []Key, _ bool) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for i := range keys {
		if err := lines.Encode(&keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// columns are those of CSV (RFC 4180).
var columns = []string{"id", "client", "chain", "public_key", "chain_code", "address", "job", "created", "label", "metadata"}

func (s *Server) writeCSV(w io.Writer, keys []Key, first bool) error {
	lines := csv.NewWriter(w)
	if first {
		_ = lines.Write(columns) // Error has it
	}
	for i := range keys {
		k := &keys[i]
		metadata, err := json.Marshal(k.Metadata)
		if err != nil {
			return err
		}
		_ = lines.Write([]string{k.ID, k.Client, k.Chain, k.PublicKey, k.ChainCode, k.Address, k.Job,
			k.Created.Format(time.RFC3339Nano), cell(k.Label), string(metadata)})
	}
	lines.Flush()
	return lines.Error()
}

// cell keeps a spreadsheet from taking a label for a formula.
func cell(text string) string {
	if text != "" && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@' || text[0] == '\t') {
		return "'" + text
	}
	return text
}
