package vartime

import (
	"bytes"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

func TestDecodeRefuses(t *testing.T) {
	g := generator.AppendWire(nil)
	field := bytes.Repeat([]byte{0xff}, 32)
	copy(field[28:], []byte{0xff, 0xff, 0xfc, 0x2f})
	field[27] = 0xfe // the field prime
	offCurve := bytes.Clone(g)
	offCurve[63] ^= 1
	tests := map[string][]byte{
		"empty":            {},
		"short":            g[:63],
		"long":             append(bytes.Clone(g), 0),
		"zeros":            make([]byte, 64),
		"off the curve":    offCurve,
		"x is the prime":   append(bytes.Clone(field), g[32:]...),
		"y is the prime":   append(bytes.Clone(g[:32]), field...),
		"SEC 1 compressed": append([]byte{2}, g[:32]...),
	}
	for name, b := range tests {
		if p, ok := Decode(b); ok || p != (Point{}) {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, ok := DecodeAll(append(bytes.Clone(g), offCurve...)); ok {
		t.Error("DecodeAll accepted a bad second point")
	}
	if _, ok := DecodeAll(g[:63]); ok {
		t.Error("DecodeAll accepted a fraction of a point")
	}
}

// Whatever decodes is what secp256k1-voi decodes, and encodes to the same bytes.
func FuzzDecode(f *testing.F) {
	f.Add(generator.AppendWire(nil))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != PointSize {
			if _, ok := Decode(b); ok {
				t.Fatal("a wrong length was accepted")
			}
			return
		}
		p, ok := Decode(b)
		want, err := secp.NewPointFromCoords((*[32]byte)(b[:32]), (*[32]byte)(b[32:]))
		if ok != (err == nil) {
			t.Fatalf("Decode says %v, secp256k1-voi %v", ok, err)
		}
		if ok && (!bytes.Equal(p.AppendWire(nil), b) || p != FromPoint(want)) {
			t.Fatal("another point, or another encoding of it")
		}
		points := make([]Point, 9)
		refused := DecodeInto(points, bytes.Repeat(b, len(points)))
		if ok && (refused != -1 || points[0] != p || points[8] != p) || !ok && refused != 0 {
			t.Fatalf("of many, point %d is refused", refused)
		}
	})
}

func FuzzLiftX(f *testing.F) {
	x := generator.X()
	f.Add(x[:], true)
	f.Add(make([]byte, 32), false)
	f.Fuzz(func(t *testing.T, b []byte, odd bool) {
		if len(b) != 32 {
			return
		}
		p, ok := LiftX((*[32]byte)(b), odd)
		sign := byte(2)
		if odd {
			sign = 3
		}
		want, err := secp.NewPointFromBytes(append([]byte{sign}, b...))
		if ok != (err == nil) {
			t.Fatalf("LiftX says %v, secp256k1-voi %v", ok, err)
		}
		if ok && (p != FromPoint(want) || p.YIsOdd() != odd || !bytes.Equal(p.AppendCompressed(nil)[1:], b)) {
			t.Fatal("another point")
		}
	})
}
