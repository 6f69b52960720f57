//go:build !amd64 || purego

package edwards25519

func (s secrets) multiplyTogether() bool { return false }

func addTogether([]Affine, [][ScalarSize]byte) bool { return false }

func multiScalarMultTogether([]*Scalar, []*Point) (*Point, bool) { return nil, false }

func sumTogether([][ScalarSize]byte, []Affine) (sum extended, ok bool) { return sum, false }

func decodeAffines(points []Affine, encoded []byte) (refused int) { return decodeEach(points, encoded) }

func multiplyByEightTogether(func(int) *extended, []Affine) bool { return false }

func multiScalarMultsTogether([]Point, []Scalar, []Affine) bool { return false }
