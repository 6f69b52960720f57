package keystore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt trusts its file: a page that leads back to itself makes it loop until
// memory ends, and a length that is too great is what it allocates. So verify
// walks the pages before bbolt sees them, and wants of each that it lies in
// the file, is reached once, and that its elements lie in it. It reads the
// tables of elements and not the values.
//
// The format is bbolt's version 2 (go.etcd.io/bbolt, internal/common), in the
// byte order of the machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	metaSize    = 64 // bytes, the last 8 of which are an FNV-1a sum
	headerSize  = 16 // of a page: id 8, flags 2, count 2, overflow 4
	elementSize = 16 // branch: pos 4, ksize 4, pgid 8; leaf: flags, pos, ksize, vsize
	bucketSize  = 16 // root 8, sequence 8; root 0: a page follows, inline
	maxDepth    = 32
	noFreelist  = ^uint64(0)

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf's element
)

var order = binary.NativeEndian

type verifier struct {
	file     io.ReaderAt
	pageSize uint64
	pages    uint64 // in use, from the meta page
	root     uint64
	freelist uint64
	seen     []bool
}

// page is a page's header and its place.
type page struct {
	offset uint64 // in the file
	extent uint64 // bytes, with its overflow pages or its bucket's value
	flags  uint16
	count  uint16
}

// verify checks the structure of a database of size bytes. A new file is
// empty, and right.
func verify(file io.ReaderAt, size int64) error {
	if size == 0 {
		return nil
	}
	v := &verifier{file: file}
	if err := v.meta(uint64(size)); err != nil {
		return err
	}
	v.seen = make([]bool, v.pages)
	if err := v.tree(v.root, 0); err != nil {
		return err
	}
	return v.free()
}

// meta finds the newest valid meta page. The first is at 0, the second behind
// it, wherever that is when the first is torn.
func (v *verifier) meta(size uint64) error {
	var newest uint64
	found := false
	for shift := -1; shift <= 14; shift++ {
		offset := uint64(0)
		if shift >= 0 {
			offset = 1024 << shift
		}
		m, err := v.read(offset+headerSize, metaSize)
		if err != nil {
			break // behind the end of the file
		}
		sum := fnv.New64a()
		sum.Write(m[:metaSize-8])
		pageSize := uint64(order.Uint32(m[8:]))
		if order.Uint32(m) != boltMagic || order.Uint32(m[4:]) != boltVersion ||
			sum.Sum64() != order.Uint64(m[metaSize-8:]) ||
			offset != 0 && offset != pageSize {
			continue
		}
		txid := order.Uint64(m[48:])
		if !found || txid > newest {
			found, newest = true, txid
			v.pageSize, v.root, v.freelist, v.pages = pageSize, order.Uint64(m[16:]), order.Uint64(m[32:]), order.Uint64(m[40:])
		}
	}
	if !found {
		return errors.New("no meta page is whole")
	}
	if v.pageSize < 1024 || v.pages < 3 || v.pages > size/v.pageSize {
		return fmt.Errorf("%d pages of %d bytes do not fit into the file's %d bytes", v.pages, v.pageSize, size)
	}
	return nil
}

func (v *verifier) read(offset, n uint64) ([]byte, error) {
	out := make([]byte, n)
	if _, err := v.file.ReadAt(out, int64(offset)); err != nil {
		return nil, fmt.Errorf("read %d bytes at %d: %w", n, offset, err)
	}
	return out, nil
}

// page reads a page's header and marks its pages as seen.
func (v *verifier) page(id uint64) (page, error) {
	if id < 2 || id >= v.pages {
		return page{}, fmt.Errorf("page %d of %d", id, v.pages)
	}
	h, err := v.read(id*v.pageSize, headerSize)
	if err != nil {
		return page{}, err
	}
	overflow := uint64(order.Uint32(h[12:]))
	if order.Uint64(h) != id || overflow >= v.pages-id {
		return page{}, fmt.Errorf("page %d says that it is page %d with %d more", id, order.Uint64(h), overflow)
	}
	for i := id; i <= id+overflow; i++ {
		if v.seen[i] {
			return page{}, fmt.Errorf("page %d is in use twice", i)
		}
		v.seen[i] = true
	}
	return page{id * v.pageSize, (1 + overflow) * v.pageSize, order.Uint16(h[8:]), order.Uint16(h[10:])}, nil
}

// tree walks a page and everything below it.
func (v *verifier) tree(id uint64, depth int) error {
	if depth > maxDepth {
		return errors.New("tree is too deep")
	}
	p, err := v.page(id)
	if err != nil {
		return err
	}
	switch {
	case p.flags == flagLeaf:
		return v.leaf(p, depth, false)
	case p.flags == flagBranch && p.count > 0:
		return v.branch(p, depth)
	}
	return fmt.Errorf("page %d has flags %#x and %d elements", id, p.flags, p.count)
}

// table reads a page's elements.
func (v *verifier) table(p page) ([]byte, error) {
	n := uint64(p.count) * elementSize
	if headerSize+n > p.extent {
		return nil, fmt.Errorf("%d elements in %d bytes", p.count, p.extent)
	}
	return v.read(p.offset+headerSize, n)
}

// inside tells whether element i, with n bytes at pos from itself, lies in the
// page and behind the table. used sums up what elements have.
func (p page) inside(i int, pos, n uint64, used *uint64) error {
	from := headerSize + uint64(i)*elementSize + pos
	*used += n
	if from < headerSize+uint64(p.count)*elementSize || from+n > p.extent || *used > p.extent {
		return fmt.Errorf("element %d of the page at %d is outside it", i, p.offset)
	}
	return nil
}

func (v *verifier) branch(p page, depth int) error {
	table, err := v.table(p)
	if err != nil {
		return err
	}
	var used uint64
	for i := range int(p.count) {
		e := table[i*elementSize:]
		if err := p.inside(i, uint64(order.Uint32(e)), uint64(order.Uint32(e[4:])), &used); err != nil {
			return err
		}
		if err := v.tree(order.Uint64(e[8:]), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) leaf(p page, depth int, inline bool) error {
	table, err := v.table(p)
	if err != nil {
		return err
	}
	var used uint64
	for i := range int(p.count) {
		e := table[i*elementSize:]
		flags, pos := order.Uint32(e), uint64(order.Uint32(e[4:]))
		ksize, vsize := uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
		if err := p.inside(i, pos, ksize+vsize, &used); err != nil {
			return err
		}
		switch {
		case flags == 0:
		case flags == flagBucket && !inline:
			value := p.offset + headerSize + uint64(i)*elementSize + pos + ksize
			if err := v.bucket(value, vsize, depth); err != nil {
				return err
			}
		default:
			return fmt.Errorf("element %d of the page at %d has flags %#x", i, p.offset, flags)
		}
	}
	return nil
}

// bucket follows a bucket to its pages, which may be one inside its value.
func (v *verifier) bucket(offset, size uint64, depth int) error {
	if size < bucketSize {
		return fmt.Errorf("bucket of %d bytes", size)
	}
	b, err := v.read(offset, bucketSize)
	if err != nil {
		return err
	}
	if root := order.Uint64(b); root != 0 {
		return v.tree(root, depth+1)
	}
	if size < bucketSize+headerSize || size > v.pageSize {
		return fmt.Errorf("inline bucket of %d bytes", size)
	}
	h, err := v.read(offset+bucketSize, headerSize)
	if err != nil {
		return err
	}
	p := page{offset + bucketSize, size - bucketSize, order.Uint16(h[8:]), order.Uint16(h[10:])}
	if p.flags != flagLeaf {
		return fmt.Errorf("inline bucket with flags %#x", p.flags)
	}
	return v.leaf(p, depth, true)
}

// free checks the list of free pages: each is in the file, and is neither in
// the tree nor listed twice.
func (v *verifier) free() error {
	if v.freelist == noFreelist {
		return nil
	}
	p, err := v.page(v.freelist)
	if err != nil {
		return err
	}
	first, count := uint64(headerSize), uint64(p.count)
	if p.flags == flagFreelist && count == 0xFFFF { // then the count stands before the list
		long, err := v.read(p.offset+headerSize, 8)
		if err != nil {
			return err
		}
		first, count = first+8, order.Uint64(long)
	}
	if p.flags != flagFreelist || count > (p.extent-first)/8 {
		return fmt.Errorf("list of free pages has flags %#x and %d entries", p.flags, count)
	}
	list, err := v.read(p.offset+first, count*8)
	if err != nil {
		return err
	}
	for i := range count {
		id := order.Uint64(list[i*8:])
		if id < 2 || id >= v.pages || v.seen[id] {
			return fmt.Errorf("free page %d is in use, listed twice or outside the file", id)
		}
		v.seen[id] = true
	}
	return nil
}
