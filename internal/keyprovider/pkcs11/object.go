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

// bytes reads an attribute. It is nil if the object has none, or does not
// give it out.
func (c *conn) bytes(s session, h handle, attribute uint) ([]byte, error) {
	values, err := c.p.mod.api.GetAttributeValue(s, h, []*p11.Attribute{p11.NewAttribute(attribute, nil)})
	if errors.Is(err, p11.Error(p11.CKR_ATTRIBUTE_TYPE_INVALID)) ||
		errors.Is(err, p11.Error(p11.CKR_ATTRIBUTE_SENSITIVE)) {
		return nil, nil
	}
	if err != nil || len(values) != 1 {
		return nil, c.p.failed("C_GetAttributeValue", c.p.tokenName(), err)
	}
	return values[0].Value, nil
}

// number reads an attribute of type CK_ULONG; ok reports whether it is one.
func (c *conn) number(s session, h handle, attribute uint) (n uint, ok bool, err error) {
	b, err := c.bytes(s, h, attribute)
	switch len(b) { // the size of the library's CK_ULONG
	case 4:
		return uint(binary.NativeEndian.Uint32(b)), true, err
	case 8:
		return uint(binary.NativeEndian.Uint64(b)), true, err
	}
	return 0, false, err
}

// truth reads a boolean attribute; known reports whether the object has it.
func (c *conn) truth(s session, h handle, attribute uint) (is, known bool, err error) {
	b, err := c.bytes(s, h, attribute)
	if len(b) != 1 {
		return false, false, err
	}
	return b[0] != 0, true, err
}

// labels lists the labels of a class, for an error.
func (c *conn) labels(s session, class uint) string {
	all, err := c.find(s, class)
	if err != nil {
		return "unknown: " + err.Error()
	}
	var out []string
	for _, h := range all[:min(len(all), 20)] {
		b, _ := c.bytes(s, h, p11.CKA_LABEL)
		out = append(out, fmt.Sprintf("%q", b))
	}
	if len(out) == 0 {
		return "none"
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// ids lists the CKA_ID of objects, for an error.
func (c *conn) ids(s session, objects []handle) string {
	var out []string
	for _, h := range objects {
		b, _ := c.bytes(s, h, p11.CKA_ID)
		out = append(out, fmt.Sprintf("%x", b))
	}
	return strings.Join(out, ", ")
}
