//go:build race

package sim

// defaultSeeds under the race detector, which makes each take eight times as long: it looks
// for races only. Whether enough occurs in a run, one without it says.
const defaultSeeds = 100
