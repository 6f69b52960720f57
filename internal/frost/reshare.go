package frost

// ReshareParams are the public parameters of one attempt at resharing a batch.
type ReshareParams struct {
	Suite      Suite
	Context    [32]byte
	K          int
	OldN, OldT int
	Dealers    []int
	N, T       int
	HostKeys   [][32]byte
}

// ReshareDeal is a dealer's message.
type ReshareDeal struct {
	Ephemeral   [32]byte
	Commitments []byte
	Shares      [][]byte
}
