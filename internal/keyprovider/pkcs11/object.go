//go:build cgo

package pkcs11

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	p11 "github.com/miekg/pkcs11"
)

// maxObjects bounds what is read of a token that gives no end of objects.
const maxObjects = 1000

type handle = p11.ObjectHandle

// find returns the objects of a class that have these attributes too.
func (c *conn) find(s session, class uint, attributes ...*p11.Attribute) ([]handle, error) {
	m := c.p.mod.api
	template := append([]*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, class)}, attributes...)
	if err := m.FindObjectsInit(s, template); err != nil {
		return nil, c.p.failed("C_FindObjectsInit", c.p.tokenName(), err)
	}
	var all []handle
	var err error
	for len(all) < maxObjects {
		var some []handle
		if some, _, err = m.FindObjects(s, 100); err != nil || len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	return all, c.p.failed("C_FindObjects", c.p.tokenName(), errors.Join(err, m.FindObjectsFinal(s)))
}

func withLabel(label string) *p11.Attribute { return p11.NewAttribute(p11.CKA_LABEL, label) }

// A reader reads attributes of objects up to the first failure; after that it
// finds none.
type reader struct {
	c   *conn
	s   session
	err error
}

// bytes is nil if the object has no such attribute, or does not give it out.
func (r *reader) bytes(h handle, attribute uint) []byte {
	if r.err != nil {
		return nil
	}
	values, err := r.c.p.mod.api.GetAttributeValue(r.s, h, []*p11.Attribute{p11.NewAttribute(attribute, nil)})
	if err == nil && len(values) == 1 {
		return values[0].Value
	}
	if !isOneOf(err, p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_ATTRIBUTE_SENSITIVE) {
		r.err = r.c.p.failed("C_GetAttributeValue", r.c.p.tokenName(), err)
	}
	return nil
}

// number reads an attribute of type CK_ULONG; known reports whether it is one.
func (r *reader) number(h handle, attribute uint) (n uint, known bool) {
	b := r.bytes(h, attribute)
	switch len(b) { // the size of the library's CK_ULONG
	case 4:
		return uint(binary.NativeEndian.Uint32(b)), true
	case 8:
		return uint(binary.NativeEndian.Uint64(b)), true
	}
	return 0, false
}

// truth reads a boolean attribute; known reports whether the object has it.
func (r *reader) truth(h handle, attribute uint) (is, known bool) {
	b := r.bytes(h, attribute)
	return len(b) == 1 && b[0] != 0, len(b) == 1
}

// labels lists the labels of a class, for an error.
func (c *conn) labels(s session, class uint) string {
	all, err := c.find(s, class)
	if err != nil {
		return "unknown: " + err.Error()
	}
	if len(all) == 0 {
		return "none"
	}
	return c.list(s, all[:min(len(all), 20)], p11.CKA_LABEL, "%q")
}

// list is one attribute of all objects, for an error.
func (c *conn) list(s session, objects []handle, attribute uint, format string) string {
	var out []string
	for _, h := range objects {
		r := reader{c: c, s: s}
		out = append(out, fmt.Sprintf(format, r.bytes(h, attribute)))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
