//go:build !amd64 || purego

package vartime

import "github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"

func gather(x, y *field.Lanes, points []Point, places *[field.LaneCount]signed) {
	gatherGeneric(x, y, points, places)
}

func scatter(points []Point, places *[field.LaneCount]int32, x, y *field.Lanes) {
	scatterGeneric(points, places, x, y)
}

func fromWire(points []Point, b []byte) { fromWireGeneric(points, b) }
