package main

const (
	reshareFile     = "internal/frost/reshare.go"
	reshareDealFile = "internal/frost/reshare_deal.go"
	reshareOpenFile = "internal/frost/reshare_open.go"

	reshareSlicesFile = "internal/wire/reshare_slices.go"
)

// reshareMutants are of resharing: its mathematics, and what of it goes into several messages.
var reshareMutants = []Mutant{
	edit("reshared shares are not checked", reshareOpenFile, "if !r.allHold(", "if false && !r.allHold(").
		killed("a new node's share is of the old key", inFrost, "TestReshareLiesAreBlamed"),
	edit("a bad deal is blamed on a position", sharesFile,
		"BlameError{Dealer: s.dealers[i], Code: CodeShare", "BlameError{Dealer: i, Code: CodeShare").
		killed("who lied is named by its index among the old nodes", inFrost, "TestReshareLiesAreBlamed"),
	edit("a dealer's constant term is not looked at", sharesFile, "append(constants(i), s.values(index, points))",
		"append(constants(i)[:0], s.values(index, points))").
		killed("an honest dealer is not taken for the liar", inFrost, "TestReshareLiesAreBlamed"),
	never("any key may be said to be the source's", reshareOpenFile,
		"!bytes.Equal(g.publicKey(source.Commitments[").
		killed("the constant terms are the keys", inFrost, "TestReshareCallersMistakes"),
	edit("a seed deals two shares alike", reshareDealFile, "seed[:], shares.Expose())", "seed[:])").
		killed("no box's key seals two texts", inFrost, "TestReshareDealDependsOnAllItsInputs"),
	edit("a deal names no set of dealers", reshareFile, "parts = append(parts, uint32Bytes(d))", "_ = d").
		killed("deals of two sets do not go together", inFrost, "TestReshareDealDependsOnAllItsInputs"),
	never("who is no dealer deals", reshareDealFile, "!slices.Contains(p.dealers, dealer)").
		killed("the dealers are those that were named", inFrost, "TestReshareCallersMistakes"),
	never("a dealer is there twice", reshareFile, "d <= p.Dealers[i-1]").
		killed("the dealers are distinct", inFrost, "TestReshareParams"),
	edit("all slices have one context", reshareSlicesFile, "Be32(uint32(i))", "Be32(0)").
		killed("what is dealt of one slice is nothing in another", inWire, "TestSlices"),
	edit("a task has as many slices as it likes", reshareSlicesFile, " || r.SliceCount() > MaxSlices:", ":").
		killed("what a task takes is bounded", inWire, "TestSlicesRefused"),
	edit("a slice's deal is any slice's", "internal/protocol/reshare_slices.go", "slice != number {", "slice < 0 {").
		killed("a slice in another one's place is its dealer's fault", inProtocol, "TestReshareSliceLies"),
	edit("a deal under the attempt's id is a slice's", "internal/board/reshares.go", "return p, p.slice >= 0", "return p, true").
		killed("what stands in no slot of the attempt is held nowhere", inBoard, "TestSlicesThatAreNone"),
	edit("a deal of a slice may have any size", "internal/board/reshares.go", " || len(body) > a.MaxDeal(a.next)", "").
		killed("what is held of an attempt is bounded by its task", inProtocol, "TestSliceThatIsTooLarge"),
	never("a second task of a number takes the place of the first", "internal/protocol/mover_watch.go",
		"r.Context() != one.Context() && p.seen.Context() == one.Context()").
		killed("a gateway that lies holds no attempt up", inProtocol, "TestSecondTasksOfANumber"),
	never("a number that is taken is refused in silence", "internal/protocol/reshare_receive.go", "n.holdsOther(r, work)").
		killed("a useless task holds no batch up", inProtocol, "TestNumberTakenHoldsNothingUp"),
	edit("an attempt is left in silence", "internal/protocol/reshare_receive.go", "n.giveUpFor(ref.ID)", "n.supersede(ref.ID)").
		killed("a later useless task holds no batch up", inProtocol, "TestLaterAttemptHoldsNothingUp"),
	never("whatever shares make is the private key", "internal/frost/reconstruct.go",
		"!bytes.Equal(g.publicKey(g.appendPoint(nil, p)), public)").
		killed("who leaves gets the keys, or is told", inFrost, "TestReconstructionRefuses"),
}
