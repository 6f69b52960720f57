package solana

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// second is a second reading of a transaction, which shares nothing with the first: text and
// patterns in place of numbers and cases, whole numbers without end, re-encoding in place of
// checks. It is slow, and says the same.
type second struct {
	keys, lines, unclear, programs []string
	out                            map[string]*big.Int
	nonce                          string
	fee                            *big.Int
	foreign                        int
}

// tape is bytes that are read from the front; there is a panic where they end.
type tape []byte

func (t *tape) next(n int) []byte {
	b := (*t)[:n]
	*t = (*t)[n:]
	return b
}

func (t *tape) count() int {
	n, size := binary.Uvarint(*t)
	if size <= 0 || n > 0xffff || !bytes.Equal(binary.AppendUvarint(nil, n), (*t)[:size]) {
		panic("count")
	}
	t.next(size)
	return int(n)
}

func must(ok bool) {
	if !ok {
		panic("refused")
	}
}

// readAgain returns nil for what is no transaction.
func readAgain(raw []byte, ours ...string) (s *second) {
	defer func() {
		if recover() != nil {
			s = nil
		}
	}()
	must(len(raw) <= 1232)
	t := tape(raw)
	n := t.count()
	t.next(64 * n)
	v0 := t[0] == 0x80
	if v0 {
		t.next(1)
	}
	head := t.next(3)
	must(int(head[0]) == n && n < 128 && head[1] < head[0])
	s = &second{out: map[string]*big.Int{}, fee: new(big.Int)}
	for range t.count() {
		k := base58.Encode(t.next(32))
		must(!slices.Contains(s.keys, k))
		s.keys = append(s.keys, k)
	}
	static := len(s.keys)
	must(n+int(head[2]) <= static)
	t.next(32)
	var calls [][3]any
	for range t.count() {
		program := t.next(1)[0]
		must(program > 0 && int(program) < static)
		accounts := t.next(t.count())
		calls = append(calls, [3]any{s.keys[program], accounts, hex.EncodeToString(t.next(t.count()))})
	}
	if v0 {
		for range t.count() {
			t.next(32)
			before := len(s.keys)
			for range 2 {
				for range t.next(t.count()) {
					s.keys = append(s.keys, "")
				}
			}
			must(len(s.keys) > before)
		}
	}
	must(len(t) == 0 && len(s.keys) <= 256)
	s.mean(calls, n, ours)
	return s
}

// pattern is an instruction that is understood. Groups: n is its units, d the decimals, and t
// a text whose length l says.
type pattern struct {
	programs  string
	data      *regexp.Regexp
	least     int // accounts
	most      int
	authority int
	to        int
	mint      int // 0: it moves lamports
	creates   bool
}

var patterns = []pattern{
	{systemID, regexp.MustCompile(`^02000000(?P<n>.{16})$`), 2, 2, 0, 1, 0, false},
	{systemID, regexp.MustCompile(`^00000000(?P<n>.{16}).{80}$`), 2, 2, 0, 1, 0, true},
	{systemID, regexp.MustCompile(`^03000000.{64}(?P<l>.{16})(?P<t>(..)*)(?P<n>.{16}).{80}$`), 2, 3, 0, 1, 0, true},
	{systemID, regexp.MustCompile(`^0b000000(?P<n>.{16})(?P<l>.{16})(?P<t>(..)*).{64}$`), 3, 3, 1, 2, 0, false},
	{systemID, regexp.MustCompile(`^05000000(?P<n>.{16})$`), 5, 5, 4, 1, 0, false},
	{TokenProgram + Token2022Program, regexp.MustCompile(`^0c(?P<n>.{16})(?P<d>..)$`), 4, 4, 3, 2, 1, false},
	{Token2022Program, regexp.MustCompile(`^1a01(?P<n>.{16})(?P<d>..).{16}$`), 4, 4, 3, 2, 1, false},
}

var (
	budgetData = regexp.MustCompile(`^(0[124].{8}|03.{16})$`)
	quiet      = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"
	verifiers  = "Ed25519SigVerify111111111111111111111111111 KeccakSecp256k11111111111111111111111111111 " +
		"Secp256r1SigVerify1111111111111111111111111"
)

// little is a number in little-endian hexadecimal.
func little(text string) *big.Int {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func (p pattern) group(data, name string) string {
	if i := p.data.SubexpIndex(name); i >= 0 {
		return p.data.FindStringSubmatch(data)[i]
	}
	return ""
}

func (s *second) mean(calls [][3]any, signers int, ours []string) {
	is := func(k string) bool { return slices.Contains(ours, k) && slices.Contains(s.keys[:signers], k) }
	for _, o := range ours {
		must(is(o))
	}
	s.foreign = signers - len(ours)
	owners := map[string]string{}
	names := make([][]string, len(calls))
	for i, c := range calls {
		for _, a := range c[1].([]byte) {
			names[i] = append(names[i], s.keys[a])
		}
		if made := associatedAgain(c[0].(string), c[2].(string), names[i]); made != "" {
			owners[made+c[0].(string)+names[i][3]+names[i][5]] = names[i][2]
		}
	}
	var units, seen, limit, price = new(big.Int), map[string]bool{}, (*big.Int)(nil), new(big.Int)
	for i, c := range calls {
		program, accounts, data := c[0].(string), names[i], c[2].(string)
		if !slices.Contains(s.programs, program) {
			s.programs = append(s.programs, program)
		}
		doubt := func(listable string) { s.unclear = append(s.unclear, fmt.Sprint(i, listable)) }
		if program == budgetID {
			units.Add(units, big.NewInt(3000))
			if len(accounts) > 0 || !budgetData.MatchString(data) || seen[data[:2]] {
				doubt("")
				continue
			}
			seen[data[:2]] = true
			switch data[:2] {
			case "02":
				limit = little(data[2:])
			case "03":
				price = little(data[2:])
			}
			continue
		}
		units.Add(units, big.NewInt(200_000))
		touched := slices.ContainsFunc(accounts, is)
		switch {
		case strings.Contains(verifiers, program):
			doubt("")
		case program == systemID && strings.HasPrefix(data, "04000000"):
			if i > 0 || len(data) > 8 || len(accounts) != 3 || slices.Contains(accounts, "") {
				doubt("")
			} else {
				s.nonce = accounts[0]
			}
		case !touched || strings.Contains(quiet, program):
		case program == ataID:
			made := associatedAgain(program, data, accounts)
			if made == "" {
				doubt("")
			} else if is(accounts[0]) {
				rent := map[string]int64{TokenProgram: 2_039_280, Token2022Program: 2_248_080}[accounts[5]]
				s.pay(i, "sol", accounts[2], big.NewInt(rent), "00")
			}
		case program == systemID || program == TokenProgram || program == Token2022Program:
			if !s.move(i, program, data, accounts, is, owners) {
				doubt("")
			}
		default:
			doubt(" " + program)
		}
	}
	if slices.Contains(ours, s.keys[0]) {
		if limit != nil {
			units = limit
		}
		if most := big.NewInt(1_400_000); units.Cmp(most) > 0 {
			units = most
		}
		s.fee.Mul(units, price)
		s.fee.Div(s.fee.Add(s.fee, big.NewInt(999_999)), big.NewInt(1_000_000))
		s.fee.Add(s.fee, big.NewInt(int64(5000*signers)))
		s.spend("sol", s.fee)
	}
	for _, sum := range s.out {
		must(sum.IsUint64())
	}
}

func (s *second) move(
	at int, program, data string, accounts []string, is func(string) bool, owners map[string]string,
) bool {
	for _, p := range patterns {
		if !strings.Contains(p.programs, program) || !p.data.MatchString(data) ||
			little(p.group(data, "l")).Cmp(big.NewInt(int64(len(p.group(data, "t"))/2))) != 0 {
			continue
		}
		if len(accounts) < p.least || len(accounts) > p.most || slices.Contains(accounts, "") ||
			p.creates && is(accounts[p.to]) {
			return false
		}
		to, asset := accounts[p.to], "sol"
		if p.mint > 0 {
			asset = "spl:" + accounts[p.mint]
			if owner := owners[to+ataID+accounts[p.mint]+program]; owner != "" {
				to = owner
			} else {
				to = "account:" + to
			}
		}
		if is(accounts[p.authority]) {
			s.pay(at, asset, to, little(p.group(data, "n")), p.group(data, "d"))
			return true
		}
		others := slices.Delete(slices.Clone(accounts), p.to, p.to+1)
		return p.mint == 0 && !slices.ContainsFunc(others, is)
	}
	return false
}

func (s *second) pay(at int, asset, to string, units *big.Int, decimals string) {
	s.lines = append(s.lines, fmt.Sprint(at, " ", asset, " ", units, " ", to, " ", little(decimals)))
	s.spend(asset, units)
}

func (s *second) spend(asset string, units *big.Int) {
	if s.out[asset] == nil {
		s.out[asset] = new(big.Int)
	}
	s.out[asset].Add(s.out[asset], units)
}

// associatedAgain returns the account that an instruction makes.
func associatedAgain(program, data string, a []string) string {
	const rent = "SysvarRent111111111111111111111111111111111"
	if program != ataID || data != "" && data != "00" && data != "01" || slices.Contains(a, "") ||
		len(a) < 6 || len(a) > 7 || len(a) == 7 && a[6] != rent || a[4] != systemID ||
		a[5] != TokenProgram && a[5] != Token2022Program {
		return ""
	}
	bytesOf := func(text string) []byte {
		b, err := base58.Decode(text)
		if err != nil {
			panic(err)
		}
		return b
	}
	for bump := 255; ; bump-- {
		k := sha256.Sum256(slices.Concat(bytesOf(a[2]), bytesOf(a[5]), bytesOf(a[3]), []byte{byte(bump)},
			bytesOf(ataID), []byte("ProgramDerivedAddress")))
		if !isPoint(k) {
			if text := base58.Encode(k[:]); text == a[1] {
				return text
			}
			return ""
		}
	}
}

// differs says where two readings differ.
func (s *second) differs(in *intent.Intent) string {
	var lines, unclear []string
	for _, p := range in.Payments {
		lines = append(lines, fmt.Sprint(p.At, " ", p.Asset, " ", p.Units, " ", p.To, " ", p.Decimals))
	}
	for _, u := range in.Unclear {
		listable := ""
		if u.Program != "" {
			listable = " " + u.Program
		}
		unclear = append(unclear, fmt.Sprint(u.At, listable))
	}
	out := map[string]*big.Int{}
	for _, a := range in.Outflow {
		out[a.Asset] = new(big.Int).SetUint64(a.Units)
	}
	for what, pair := range map[string][2]any{
		"payments": {lines, s.lines}, "unclear": {unclear, s.unclear}, "outflow": {out, s.out},
		"nonce": {in.Nonce, s.nonce}, "fee": {in.Fee, s.fee}, "foreign": {in.Foreign, s.foreign},
		"programs": {in.Programs, s.programs},
	} {
		if one, other := fmt.Sprint(pair[0]), fmt.Sprint(pair[1]); one != other {
			return fmt.Sprintf("%s: %s and %s", what, one, other)
		}
	}
	return ""
}
