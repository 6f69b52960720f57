//go:build amd64 && !purego

package vartime

import "github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"

// gather is gatherGeneric.
func gather(x, y *field.Lanes, points []Point, places *[field.LaneCount]signed) {
	if !field.FastLanes() {
		gatherGeneric(x, y, points, places)
		return
	}
	for _, at := range places {
		_ = points[at>>1]
	}
	gatherAVX512(x, y, &points[0], places)
}

// scatter is scatterGeneric.
func scatter(points []Point, places *[field.LaneCount]int32, x, y *field.Lanes) {
	if !field.FastLanes() {
		scatterGeneric(points, places, x, y)
		return
	}
	for _, at := range places {
		_ = points[at]
	}
	scatterAVX512(&points[0], places, x, y)
}

// gatherAVX512 is gatherGeneric, of points that are there.
//
//go:noescape
func gatherAVX512(x, y *field.Lanes, points *Point, places *[field.LaneCount]signed)

// scatterAVX512 is scatterGeneric, of points that are there.
//
//go:noescape
func scatterAVX512(points *Point, places *[field.LaneCount]int32, x, y *field.Lanes)

// fromWire is fromWireGeneric.
func fromWire(points []Point, b []byte) {
	if !field.FastLanes() {
		fromWireGeneric(points, b)
		return
	}
	fromWireAVX512((*[field.LaneCount]Point)(points), (*[field.LaneCount * PointSize]byte)(b))
}

// fromWireAVX512 is fromWireGeneric.
//
//go:noescape
func fromWireAVX512(points *[field.LaneCount]Point, b *[field.LaneCount * PointSize]byte)
