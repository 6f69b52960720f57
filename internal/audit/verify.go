package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Break is the first place at which a log is not what was written.
type Break struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // from 1; 0: the file as a whole
	Reason string `json:"reason"`
}

func (b *Break) Error() string {
	if b.Line == 0 {
		return b.File + ": " + b.Reason
	}
	return fmt.Sprintf("%s, line %d: %s", b.File, b.Line, b.Reason)
}

// Tear is the end of a file that is no whole record.
type Tear struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Bytes int64  `json:"bytes"`
}

// Summary is what Verify found.
type Summary struct {
	By       string `json:"by"`
	Role     string `json:"role"`
	Manifest string `json:"manifest"`
	Files    int    `json:"files"`
	Records  uint64 `json:"records"`
	First    Head   `json:"-"` // that the first of these files comes after
	Last     Head   `json:"-"`
	Lost     uint64 `json:"lost"` // records that were never written, as the log itself says
	// Torn are the ends that crashes left. The first line of the next file has their hash.
	Torn []Tear `json:"torn,omitempty"`
	// Unfinished is the end of the last file: a record that is being written just now, or
	// what a crash left.
	Unfinished *Tear `json:"unfinished,omitempty"`
}

// Options are what Verify does besides.
type Options struct {
	// Heads are of the log, as others heard them: the log has to have their lines.
	Heads []Head
	// Each is called with every record that is proven by what came before it.
	Each func(File, *Record) error
	// Progress is called now and then.
	Progress func(done, total int64) // bytes
}

// Verify reads the files of a log in their order. The error is a *Break where the log was
// changed, and another one where it could not be read. The summary is of all up to there.
func Verify(ctx context.Context, files []File, o Options) (*Summary, error) {
	v := &verifier{ctx: ctx, o: o, sum: &Summary{}, heard: map[uint64][]Head{}}
	for _, f := range files {
		if info, err := os.Stat(f.Path); err == nil {
			v.total += info.Size()
		}
	}
	for _, head := range o.Heads {
		v.heard[head.Seq] = append(v.heard[head.Seq], head)
	}
	for i, f := range files {
		if err := v.file(f, i == len(files)-1); err != nil {
			return v.sum, err
		}
	}
	if len(files) == 0 {
		return v.sum, errors.New("no files of an audit log")
	}
	return v.sum, v.heads(files)
}

type verifier struct {
	ctx     context.Context
	o       Options
	sum     *Summary
	heard   map[uint64][]Head
	number  int   // of the file before
	pending *tear // end of that
	scratch bytes.Buffer

	done, total int64
}

// tear is the end of a file that is no whole record.
type tear struct {
	place Tear
	what  Torn
	why   *Break // it is none; nil: its line has no end
}

// file verifies one file.
func (v *verifier) file(f File, last bool) error {
	file, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	if v.sum.Files > 0 && f.Number != v.number+1 {
		return &Break{f.Path, 0, fmt.Sprintf("files are missing before it: the one before is number %d", v.number)}
	}
	v.number = f.Number
	in := newLines(file)
	if err := v.begin(f, in); err != nil {
		return err
	}
	v.sum.Files++
	if err := v.compare(f, 1); err != nil {
		return err
	}
	for {
		err := v.line(f, in)
		var bad *Break
		switch {
		case errors.Is(err, io.EOF):
			v.done += in.next
			return nil
		case errors.As(err, &bad) && !last, errors.Is(err, errPartial):
			return v.torn(f, file, in, bad, last)
		case err != nil:
			return err
		}
		if err := v.compare(f, in.number); err != nil {
			return err
		}
	}
}

// compare holds the line that was read last against what others heard of it.
func (v *verifier) compare(f File, number int) error {
	for _, heard := range v.heard[v.sum.Last.Seq] {
		if heard != v.sum.Last {
			return &Break{f.Path, number, fmt.Sprintf("record %d had the hash %x when its program told of it: "+
				"the log was made anew, from here on or before", heard.Seq, heard.Hash)}
		}
	}
	return nil
}

// begin verifies the first line of a file.
func (v *verifier) begin(f File, in *lines) error {
	text, err := in.read()
	if err != nil {
		return beginBroken(f, err)
	}
	first, r, prev, err := parseBegin(text, f.Number)
	if err != nil {
		return &Break{f.Path, 1, err.Error()}
	}
	b := r.Begin
	switch {
	case v.sum.Files == 0 && f.Number == 1 && prev != (Head{}):
		return &Break{f.Path, 1, "the first file of a log begins with record 1, after no other"}
	case v.sum.Files == 0:
		v.sum.First, v.sum.Last = prev, prev
		v.sum.By, v.sum.Role, v.sum.Manifest = r.By, b.Role, b.Manifest
	case r.By != v.sum.By || b.Role != v.sum.Role:
		return &Break{f.Path, 1, fmt.Sprintf("it is of %s %s, and the file before of %s %s", b.Role, r.By, v.sum.Role, v.sum.By)}
	}
	v.sum.Manifest = b.Manifest
	if err := v.mended(f, b.Torn); err != nil {
		return err
	}
	if prev != v.sum.Last {
		return &Break{f.Path, 1, fmt.Sprintf("it goes on after record %d with another hash or number than the file before "+
			"ends with, record %d: records are missing between them, or were changed", prev.Seq, v.sum.Last.Seq)}
	}
	return v.take(f, 1, first)
}

// mended holds what a file says of the end of the one before against that.
func (v *verifier) mended(f File, said *Torn) error {
	was := v.pending
	v.pending = nil
	switch {
	case v.sum.Files == 0 || was == nil && said == nil:
		return nil
	case was == nil:
		return &Break{f.Path, 1, "it says that the file before ends in no whole record, and that one does not: " +
			"its end was cut or changed"}
	case said != nil && *said == was.what:
		v.sum.Torn = append(v.sum.Torn, was.place)
		return nil
	case was.why != nil:
		return was.why
	}
	return &Break{was.place.File, was.place.Line, "no whole record, and the file after it does not tell of a crash " +
		"that left this"}
}

// line verifies the next line.
func (v *verifier) line(f File, in *lines) error {
	text, err := in.read()
	if errors.Is(err, errLong) {
		return &Break{f.Path, in.number, err.Error()}
	}
	if err != nil {
		return err
	}
	l, err := parseLine(text)
	if err != nil {
		return &Break{f.Path, in.number, err.Error()}
	}
	if in.number%512 == 0 {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if v.o.Progress != nil {
			v.o.Progress(v.done+in.next, v.total)
		}
	}
	return v.take(f, in.number, l)
}

// take verifies a line against the head before it.
func (v *verifier) take(f File, number int, l line) error {
	head := v.sum.Last
	r, err := l.decode(&v.scratch)
	if err != nil {
		return &Break{f.Path, number, err.Error()}
	}
	next := head.next(l.body)
	switch {
	case r.Seq > next.Seq:
		return &Break{f.Path, number, fmt.Sprintf("record %d comes after record %d: records are missing between them",
			r.Seq, head.Seq)}
	case r.Seq < next.Seq:
		return &Break{f.Path, number, fmt.Sprintf("record %d comes after record %d: records were repeated or put in another order",
			r.Seq, head.Seq)}
	case next.Hash != l.hash:
		return &Break{f.Path, number, fmt.Sprintf("its hash does not fit: record %d was changed, or the one before it",
			r.Seq)}
	case r.By != v.sum.By:
		return &Break{f.Path, number, fmt.Sprintf("a record of %s in the log of %s", r.By, v.sum.By)}
	case r.Event == EventLog && number != 1:
		return &Break{f.Path, number, "a record that begins a file, in the middle of one"}
	}
	v.sum.Last = next
	v.sum.Records++
	if r.Event == EventLost {
		v.sum.Lost += r.Lost
	}
	if v.o.Each != nil {
		return v.o.Each(f, r)
	}
	return nil
}

// torn notes the end of a file that is no record, from the line that was read last.
func (v *verifier) torn(f File, file io.ReadSeeker, in *lines, bad *Break, last bool) error {
	torn, err := tornAt(file, in.start)
	if err != nil {
		return err
	}
	v.pending = &tear{Tear{f.Path, in.number, torn.Bytes}, *torn, bad}
	if last {
		v.sum.Unfinished = &v.pending.place
	}
	v.done += in.start + torn.Bytes
	return nil
}

// beginBroken is why the first line of a file can't be read.
func beginBroken(f File, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errPartial) || errors.Is(err, errLong) {
		return &Break{f.Path, 1, "it does not begin with a record"}
	}
	return err
}

// heads holds the log against what others heard of it.
func (v *verifier) heads(files []File) error {
	for _, heard := range v.o.Heads {
		switch last := files[len(files)-1]; {
		case heard.Seq > v.sum.Last.Seq:
			return &Break{last.Path, 0, fmt.Sprintf("the log ends with record %d, and its program told of record %d: "+
				"its end was cut", v.sum.Last.Seq, heard.Seq)}
		case heard.Seq < v.sum.First.Seq, heard.Seq == v.sum.First.Seq && heard != v.sum.First && heard.Seq > 0:
			return &Break{files[0].Path, 0, fmt.Sprintf("these files begin after record %d, and record %d is to be compared: "+
				"name the files before them as well", v.sum.First.Seq, heard.Seq)}
		}
	}
	return nil
}
