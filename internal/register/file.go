package register

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A file of entries is a line, a version in 4 bytes, and records: a kind, the length in
// 4 bytes, the data; numbers are big-endian. First come the manifests that the entries are
// of, the newest first, and the successions that lead from one to the next, the oldest first:
// each is judged by those before it. A head is followed by its deals. The last record counts
// the entries: a file without it, or with others before it, was cut, and nothing follows it.
// There is no order between entries. Version 1 had no manifests and no successions.
const (
	fileMagic    = "frostfleet register\n"
	fileVersion  = 2
	firstVersion = 1

	kindManifest   = 'm'
	kindSuccession = 's'
	kindHead       = 'h'
	kindDeal       = 'd'
	kindEnd        = 'e'
)

// Errors of files. Whoever would put up with one would lose keys.
var (
	ErrFileCut   = errors.New("the file is not whole: its last record is missing")
	ErrFileGoes  = errors.New("the file goes on behind its last record: files that were joined are read one by one")
	ErrFileCount = errors.New("the file is not whole: its last record counts other entries")
)

// Writer writes entries to a file.
type Writer struct {
	w       *bufio.Writer
	entries uint64
}

// NewWriter begins a file with the manifests that its entries are of.
func NewWriter(w io.Writer, l *wire.Lineage) (*Writer, error) {
	f := &Writer{w: bufio.NewWriterSize(w, 1<<20)}
	if _, err := f.w.Write(binary.BigEndian.AppendUint32([]byte(fileMagic), fileVersion)); err != nil {
		return nil, err
	}
	for _, m := range slices.Backward(l.Chain()) {
		data, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		if err := f.record(kindManifest, data); err != nil {
			return nil, err
		}
	}
	for _, proof := range l.Proofs() {
		if err := f.record(kindSuccession, proof); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *Writer) record(kind byte, data []byte) error {
	if _, err := f.w.Write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(data)))); err != nil {
		return err
	}
	_, err := f.w.Write(data)
	return err
}

// Write appends an entry.
func (f *Writer) Write(e *Entry) error {
	if err := f.record(kindHead, e.Head); err != nil {
		return err
	}
	for _, deal := range e.Deals {
		if err := f.record(kindDeal, deal); err != nil {
			return err
		}
	}
	f.entries++
	return nil
}

// Close ends the file. It does not close what is below.
func (f *Writer) Close() error {
	if err := f.record(kindEnd, binary.BigEndian.AppendUint64(nil, f.entries)); err != nil {
		return err
	}
	return f.w.Flush()
}

// Reading is what is done with what a file has.
type Reading struct {
	// Lineage is called once, before the first entry, with what was known and what the file
	// adds to it; nil: nobody wants it.
	Lineage func(*wire.Lineage) error
	Entry   func(*Entry) error // each whole one, once
	Dropped func(error)        // what proves nothing, with the reason
}

// ReadFile reads a file, by what is known and the manifests that the file proves to belong to
// that.
func ReadFile(r io.Reader, l *wire.Lineage, on Reading) (Summary, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	start := make([]byte, len(fileMagic)+4)
	if _, err := io.ReadFull(in, start); err != nil || string(start[:len(fileMagic)]) != fileMagic {
		return Summary{}, errors.New("this is no file of frostctl register export")
	}
	v := binary.BigEndian.Uint32(start[len(fileMagic):])
	if v < firstVersion || v > fileVersion {
		return Summary{}, fmt.Errorf("the file has format %d, and this program reads %d and %d", v, firstVersion, fileVersion)
	}
	f := &fileReader{in: in, on: on, lineage: l, version: v}
	err := f.read()
	sum := Summary{}
	if f.collector != nil {
		sum = f.collector.Summary()
	}
	sum.Dropped += f.dropped
	return sum, err
}

// fileReader reads the records of a file.
type fileReader struct {
	in        *bufio.Reader
	on        Reading
	lineage   *wire.Lineage
	version   uint32
	collector *Collector // nil before the first entry
	heads     uint64
	dropped   int // manifests and successions
}

func (f *fileReader) read() error {
	for {
		kind, data, err := readRecord(f.in)
		if err != nil {
			return err
		}
		if kind == kindManifest || kind == kindSuccession {
			if f.version == firstVersion || f.collector != nil {
				return fmt.Errorf("a record of kind %q where none belongs: the file is damaged", kind)
			}
			f.follow(kind, data)
			continue
		}
		if f.collector == nil {
			if err := f.begin(); err != nil {
				return err
			}
		}
		switch kind {
		case kindEnd:
			return readEnd(f.in, data, f.heads)
		case kindHead:
			f.heads++
		}
		e, err := f.collector.Put(kind == kindHead, data)
		switch {
		case err != nil:
			f.on.Dropped(err)
		case e != nil:
			if err := f.on.Entry(e); err != nil {
				return err
			}
		}
	}
}

// begin begins with the entries.
func (f *fileReader) begin() error {
	f.collector = NewCollector(f.lineage)
	if f.on.Lineage == nil {
		return nil
	}
	return f.on.Lineage(f.lineage)
}

// follow takes a manifest, or a succession. The manifest of a succession is in it, and so one
// that is not before those that are known is no news.
func (f *fileReader) follow(kind byte, data []byte) {
	var err error
	if kind == kindSuccession {
		f.lineage, err = f.lineage.WithSuccession(data)
	} else {
		var m *wire.Manifest
		if m, err = wire.ParseManifest(data); err == nil {
			f.lineage, _ = f.lineage.WithParent(m)
		}
	}
	if err != nil {
		f.dropped++
		f.on.Dropped(err)
	}
}

// readEnd holds the last record against what came before it, and what comes behind it.
func readEnd(in *bufio.Reader, data []byte, heads uint64) error {
	if len(data) != 8 || binary.BigEndian.Uint64(data) != heads {
		return ErrFileCount
	}
	switch _, err := in.ReadByte(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return ErrFileGoes
}

// readRecord reads a record of a kind that this program knows, and of no more bytes
// than that kind may have.
func readRecord(in io.Reader) (kind byte, data []byte, err error) {
	var start [5]byte
	if _, err := io.ReadFull(in, start[:]); err != nil {
		return 0, nil, cut(err)
	}
	limits := map[byte]uint32{
		kindManifest: wire.MaxJobSize, kindSuccession: wire.MaxSuccession,
		kindHead: wire.MaxEntryHead, kindDeal: wire.MaxReshareDeal, kindEnd: 8,
	}
	limit, known := limits[start[0]]
	size := binary.BigEndian.Uint32(start[1:])
	if !known || size > limit {
		return 0, nil, fmt.Errorf("a record of kind %q with %d bytes: the file is damaged", start[0], size)
	}
	data = make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return 0, nil, cut(err)
	}
	return start[0], data, nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrFileCut
	}
	return err
}
