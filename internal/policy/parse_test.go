package policy

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// whole has one of everything.
const whole = `version = 1

[[rule]]
name = "hot"
clients = ["alice", "bob"]
keys = ["00000000000000000000000000000000.0", "00000000000000000000000000000000.1"]
kinds = ["psbt", "bitcoin_message"]
sighash = ["default", "all"]
destinations = ["` + shop + `", "self", "script:6A00", "fleet:00000000000000000000000000000000.7"]
destination_range = 5
max_fee = ["0.0005 BTC"]
max_fee_rate = 200
change_gap = 50

  [[rule.limit]]
  amount = "0.1 BTC"
  per = "transaction"

  [[rule.limit]]
  amount = "50000000 sat"
  per = "day"

  [[rule.limit]]
  amount = "600 signatures"
  per = "minute"
  scope = "key"

  [rule.approvals]
  require = 2
  from = ["anna", "ben", "carl"]
  above = ["0.05 BTC"]
  outside = true

[[rule]]
name = "solana"
clients = ["carol"]
keys = ["*"]
kinds = ["solana_transaction", "solana_message"]
assets = ["sol", "spl:` + mint + `"]
programs = ["` + wsol + `"]
nonce_accounts = ["` + wsol + `"]

[[rule]]
name = "rest"
clients = ["*"]
keys = ["*"]
kinds = ["raw"]

  [rule.approvals]
  require = 1
  from = ["anna"]
  always = true
`

func wholeFile() string { return whole + approversOf("anna", "ben", "carl") }

func TestParse(t *testing.T) {
	t.Parallel()
	p := parse(t, wholeFile())
	if got := strings.Join(p.Rules(), " "); got != "hot solana rest" {
		t.Errorf("rules %s", got)
	}
	if got := p.Approvers(); len(got) != 3 || hex.EncodeToString(got["ben"]) != approverKey("ben") {
		t.Errorf("approvers %v", got)
	}
	if got := p.FleetKeys(); len(got) != 1 || !p.Counts() || p.Network() != "regtest" {
		t.Errorf("keys %v, counts %v", got, p.Counts())
	}
	hot := p.rules[0]
	if !hot.assets["btc"] || len(hot.assets) != 1 || hot.limits[1].max != 50_000_000 || hot.gap != 50 {
		t.Errorf("%+v", hot)
	}
	if rest := p.rules[2]; rest.clients != nil || rest.keys != nil || len(rest.assets) != 0 {
		t.Errorf("%+v", rest)
	}
}

// TestHash: what is only written another way hashes the same, and what says something
// else does not.
func TestHash(t *testing.T) {
	t.Parallel()
	base := parse(t, wholeFile()).Hash()
	change := func(old, new string) [32]byte {
		t.Helper()
		if !strings.Contains(wholeFile(), old) {
			t.Fatalf("no %s", old)
		}
		return parse(t, strings.Replace(wholeFile(), old, new, 1)).Hash()
	}
	for _, c := range [][2]string{
		{"version = 1", "# a comment\nversion = 1"},
		{`clients = ["alice", "bob"]`, `clients = ["bob", "alice"]`},
		{`"50000000 sat"`, `"0.5 BTC"`},
		{"require = 2\n  from = [\"anna\", \"ben\", \"carl\"]", "from = [\"carl\", \"ben\", \"anna\"]\n  require = 2"},
		{"per = \"day\"", "per = \"day\"\n  scope = \"client\""},
		{"script:6A00", "script:6a00"},
		{shop, strings.ToUpper(shop)},
	} {
		if change(c[0], c[1]) != base {
			t.Errorf("%q instead of %q is another policy", c[1], c[0])
		}
	}
	seen := map[[32]byte]string{base: "the file"}
	for _, c := range [][2]string{
		{`clients = ["alice", "bob"]`, `clients = ["alice"]`},
		{`"50000000 sat"`, `"50000001 sat"`},
		{`"0.0005 BTC"`, `"0.0004 BTC"`},
		{"max_fee_rate = 200", "max_fee_rate = 201"},
		{"change_gap = 50", "change_gap = 51"},
		{"change_gap = 50", ""},
		{"destination_range = 5", "destination_range = 6"},
		{`"self", `, ""},
		{shop, thief},
		{`"psbt", "bitcoin_message"`, `"psbt"`},
		{`["default", "all"]`, `["default"]`},
		{"require = 2", "require = 3"},
		{"outside = true", "outside = false"},
		{`["0.05 BTC"]`, `["0.06 BTC"]`},
		{`scope = "key"`, `scope = "client"`},
		{`name = "hot"`, `name = "warm"`},
		{approverKey("ben"), approverKey("dora")},
		{"programs = [\"" + wsol + "\"]\n", ""},
	} {
		h := change(c[0], c[1])
		if other, dup := seen[h]; dup {
			t.Errorf("%q instead of %q is the same policy as %s", c[1], c[0], other)
		}
		seen[h] = c[1]
	}
	two := plainRule("psbt", "")
	main, err := Parse([]byte(two), "mainnet")
	if err != nil || main.Hash() == parse(t, two).Hash() {
		t.Errorf("another network is the same policy, or %v", err)
	}
}

// TestRefused: every mistake is an error with its line and key, and says what to do.
func TestRefused(t *testing.T) {
	t.Parallel()
	psbt := func(more ...string) string { return plainRule("psbt", more...) }
	limit := func(amount, per string) string {
		return "[[rule.limit]]\namount = \"" + amount + "\"\nper = \"" + per + "\""
	}
	cases := []struct {
		name, text string
		line       int
		key, says  string
	}{
		{"empty", "", 0, "version", "is missing"},
		{"no rules", "version = 1\n", 0, "rule", "nothing would be signed"},
		{"other version", "version = 2\n", 1, "version", "policies of version 1"},
		{"no TOML", "version = \n", 1, "", ""},
		{"unknown key", psbt("limits = 1"), 7, "rule.limits", "unknown key"},
		{"unknown table", psbt("[other]"), 7, "other", "unknown key"},
		{"upper case", psbt("Change_gap = 1"), 7, "Change_gap", "in lower case"},
		{"type", psbt("change_gap = \"1\""), 7, "rule.change_gap", "wrong type"},
		{"no name", "version = 1\n[[rule]]\nclients = [\"*\"]\nkeys = [\"*\"]\nkinds = [\"psbt\"]", 2, "rule[0].name",
			"missing"},
		{"no clients", "version = 1\n[[rule]]\nname = \"a\"\nkeys = [\"*\"]\nkinds = [\"psbt\"]", 2, "rule[0].clients",
			"missing"},
		{"empty keys", strings.Replace(psbt(), `keys = ["*"]`, `keys = []`, 1), 5, "rule[0].keys", "is empty"},
		{"bad key", strings.Replace(psbt(), `keys = ["*"]`, `keys = ["x"]`, 1), 5, "rule[0].keys", "key id"},
		{"star and more", strings.Replace(psbt(), `clients = ["*"]`, `clients = ["*", "bob"]`, 1), 4, "rule[0].clients",
			"alone"},
		{"twice", strings.Replace(psbt(), `clients = ["*"]`, `clients = ["bob", "bob"]`, 1), 4, "rule[0].clients", "twice"},
		{"bad client", strings.Replace(psbt(), `clients = ["*"]`, `clients = ["a b"]`, 1), 4, "rule[0].clients", "no name"},
		{"no kinds", strings.Replace(psbt(), `["psbt"]`, `[]`, 1), 6, "rule[0].kinds", "name what may be signed"},
		{"other kind", strings.Replace(psbt(), `["psbt"]`, `["pbst"]`, 1), 6, "rule[0].kinds", "solana_message"},
		{"same name", psbt() + strings.TrimPrefix(psbt(), "version = 1\n"), 0, "rule[1].name", "taken"},
		{"never reached", rules("[[rule]]\nname = \"a\"\nclients = [\"*\"]\nkeys = [\"*\"]\nkinds = [\"psbt\"]\n" +
			"[[rule]]\nname = \"b\"\nclients = [\"bob\"]\nkeys = [\"*\"]\nkinds = [\"psbt\"]"), 7, "rule[1]", "can never apply"},
		{"sighash", psbt(`sighash = ["ALL"]`), 7, "rule[0].sighash", "default"},
		{"sighash of messages", plainRule("bitcoin_message", `sighash = ["all"]`), 7, "rule[0].sighash", "can never apply"},
		{"gap of messages", plainRule("bitcoin_message", `change_gap = 1`), 7, "rule[0].change_gap", "can never apply"},
		{"gap", psbt(`change_gap = -1`), 7, "rule[0].change_gap", "0 to"},
		{"rate", psbt(`max_fee_rate = 0`), 7, "rule[0].max_fee_rate", "from 1"},
		{"programs of PSBTs", psbt(`programs = ["` + wsol + `"]`), 7, "rule[0].programs", "can never apply"},
		{"program", plainRule("solana_transaction", `programs = ["x"]`), 7, "rule[0].programs", "no address of Solana"},
		{"nonce accounts of PSBTs", psbt(`nonce_accounts = ["` + wsol + `"]`), 7, "rule[0].nonce_accounts",
			"can never apply"},
		{"assets of other kinds", psbt(`assets = ["sol"]`), 7, "rule[0].assets", "can never apply"},
		{"no asset", psbt(`assets = ["eth"]`), 7, "rule[0].assets", "use \"btc\""},
		{"assets without a limited one", plainRule("solana_transaction", `assets = ["spl:`+mint+`"]`, limit("1 SOL", "day")),
			7, "rule[0].assets", "lacks sol"},
		{"fee of other kinds", psbt(`max_fee = ["1 SOL"]`), 7, "rule[0].max_fee", "can never apply"},
		{"fee twice", psbt(`max_fee = ["1 BTC", "2 BTC"]`), 7, "rule[0].max_fee", "two amounts"},
		{"fee in jobs", psbt(`max_fee = ["1 jobs"]`), 7, "rule[0].max_fee", "BTC or SOL"},
		{"fee above the limit", psbt(`max_fee = ["2 BTC"]`, limit("1 BTC", "day")), 7, "rule[0].max_fee", "comes first"},
		{"amount", psbt(limit("1", "day")), 8, "rule[0].limit[0].amount", "is no amount"},
		{"unit", psbt(limit("1 btc", "day")), 8, "rule[0].limit[0].amount", "is no amount"},
		{"sign", psbt(limit("-1 BTC", "day")), 8, "rule[0].limit[0].amount", "is no amount"},
		{"zero", psbt(limit("0.00 BTC", "day")), 8, "rule[0].limit[0].amount", "is zero"},
		{"decimals", psbt(limit("0.000000001 BTC", "day")), 8, "rule[0].limit[0].amount", "8 decimals"},
		{"too much", psbt(limit("99999999999999999999 sat", "day")), 8, "rule[0].limit[0].amount", "is more than"},
		{"no mint", plainRule("solana_transaction", limit("1 spl:x", "day")), 8, "rule[0].limit[0].amount", "mint"},
		{"per", psbt(limit("1 BTC", "month")), 9, "rule[0].limit[0].per", "week"},
		{"scope", psbt(limit("1 BTC", "day"), `scope = "fleet"`), 10, "rule[0].limit[0].scope", "client or key"},
		{"money by the minute", psbt(limit("1 BTC", "minute")), 9, "rule[0].limit[0].per", "by the hour"},
		{"jobs a transaction", psbt(limit("1 jobs", "transaction")), 9, "rule[0].limit[0].per", "by time"},
		{"scope of a transaction", psbt(limit("1 BTC", "transaction"), `scope = "key"`), 10, "rule[0].limit[0].scope",
			"counts nothing"},
		{"limit of other kinds", psbt(limit("1 SOL", "day")), 8, "rule[0].limit[0].amount", "can never apply"},
		{"limit twice", psbt(limit("1 BTC", "day"), limit("2 BTC", "day")), 10, "rule[0].limit[1]", "already"},
		{"transaction above day", psbt(limit("2 BTC", "transaction"), limit("1 BTC", "day")), 10, "rule[0].limit[1]",
			"can never apply"},
		{"week below day", psbt(limit("1 BTC", "week"), limit("2 BTC", "day")), 10, "rule[0].limit[1]", "can never apply"},
		{"key above client", psbt(limit("1 BTC", "day"), limit("2 BTC", "day"), `scope = "key"`), 10, "rule[0].limit[1]",
			"never apply"},
		{"raw and a limit", strings.Replace(psbt(limit("1 BTC", "day")), `["psbt"]`, `["psbt", "raw"]`, 1), 6,
			"rule[0].kinds", "raw"},
		{"raw and destinations", strings.Replace(psbt(`destinations = ["`+shop+`"]`, `max_fee = ["1 sat"]`), `["psbt"]`,
			`["psbt", "raw"]`, 1), 6, "rule[0].kinds", "raw"},
		{"open outputs", psbt(`sighash = ["default", "single|anyonecanpay"]`), 7, "rule[0].sighash", "leaves outputs open"},
		{"destinations and open fees", psbt(`destinations = ["` + shop + `"]`), 7, "rule[0].destinations",
			"add max_fee in btc"},
		{"open fees of tokens", plainRule("solana_transaction", limit("1 spl:"+mint, "day")), 2, "rule[0].assets",
			"add max_fee in sol"},
		{"empty destinations", psbt(`destinations = []`), 7, "rule[0].destinations", "is empty"},
		{"other network", psbt(`destinations = ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]`), 7, "rule[0].destinations",
			"mainnet"},
		{"no address", psbt(`destinations = ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081"]`), 7, "rule[0].destinations",
			"no address"},
		{"public key", psbt(`destinations = ["02` +
			strings.Repeat("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
				1) + `"]`), 7, "rule[0].destinations", "no address"},
		{"Solana's address", psbt(`destinations = ["`+wsol+`"]`, `max_fee = ["1 sat"]`), 7, "rule[0].destinations",
			"never apply"},
		{"destination's key", psbt(`destinations = ["fleet:x"]`, `max_fee = ["1 sat"]`), 7, "rule[0].destinations",
			"names no key"},
		{"no checksum", psbt(`destinations = ["tr(xpub)"]`, `max_fee = ["1 sat"]`), 7, "rule[0].destinations", "no checksum"},
		{"range without destinations", psbt(`destination_range = 5`), 7, "rule[0].destination_range", "can never apply"},
		{"range of addresses", psbt(`destinations = ["`+shop+`"]`, `max_fee = ["1 sat"]`, `destination_range = 5`), 9,
			"rule[0].destination_range", "can never apply"},
		{"range", psbt(`destinations = ["`+shop+`"]`, `destination_range = 0`), 8, "rule[0].destination_range", "use 1 to"},
		{"too many addresses", psbt(`destinations = ["fleet:`+key0+`", "fleet:`+key1+`"]`, `destination_range = 50000`,
			`max_fee = ["1 sat"]`), 7, "rule[0].destinations", "lower destination_range"},
		{"approvals never", psbt("[rule.approvals]\nrequire = 1\nfrom = [\"anna\"]") + approversOf("anna"), 7,
			"rule[0].approvals", "never"},
		{"approvals of nobody", psbt("[rule.approvals]\nrequire = 1\nalways = true"), 7, "rule[0].approvals.from", "missing"},
		{"unknown approver", psbt("[rule.approvals]\nrequire = 1\nalways = true\nfrom = [\"anna\"]"), 10,
			"rule[0].approvals.from",
			"no [[approver]]"},
		{"k above m", psbt("[rule.approvals]\nrequire = 2\nalways = true\nfrom = [\"anna\"]") + approversOf("anna"), 8,
			"rule[0].approvals.require", "use 1 to 1"},
		{"no k", psbt("[rule.approvals]\nalways = true\nfrom = [\"anna\"]") + approversOf("anna"), 7,
			"rule[0].approvals.require", "is 0"},
		{"approver twice in from", psbt("[rule.approvals]\nrequire = 2\nalways = true\nfrom = [\"anna\", \"anna\"]") +
			approversOf("anna"), 10, "rule[0].approvals.from", "twice"},
		{"always and above", psbt("[rule.approvals]\nrequire = 1\nalways = true\nabove = [\"1 BTC\"]\nfrom = [\"anna\"]") +
			approversOf("anna"), 9, "rule[0].approvals.always", "never apply"},
		{"outside of nothing", psbt("[rule.approvals]\nrequire = 1\noutside = true\nfrom = [\"anna\"]") +
			approversOf("anna"), 9,
			"rule[0].approvals.outside", "never apply"},
		{"above other assets", psbt("[rule.approvals]\nrequire = 1\nabove = [\"1 SOL\"]\nfrom = [\"anna\"]") +
			approversOf("anna"), 9,
			"rule[0].approvals.above", "lets no sol"},
		{"above not all assets", plainRule("solana_transaction", `assets = ["sol", "spl:`+mint+`"]`,
			"[rule.approvals]\nrequire = 1\nabove = [\"1 SOL\"]\nfrom = [\"anna\"]") + approversOf("anna"), 10,
			"rule[0].approvals.above", "lacks spl:"},
		{"above the limit", psbt(limit("1 BTC", "transaction"),
			"[rule.approvals]\nrequire = 1\nabove = [\"1 BTC\"]\nfrom = [\"anna\"]") +
			approversOf("anna"), 12, "rule[0].approvals.above", "comes first"},
		{"approver unused", psbt() + approversOf("anna"), 9, "approver[0]", "named by no rule"},
		{"approver's key", psbt("[rule.approvals]\nrequire = 1\nalways = true\nfrom = [\"anna\"]") +
			strings.Replace(approversOf("anna"), approverKey("anna"), "00", 1), 14, "approver[0].public_key", "64 hexadecimal"},
		{"approver of small order", psbt("[rule.approvals]\nrequire = 1\nalways = true\nfrom = [\"anna\"]") +
			strings.Replace(approversOf("anna"), approverKey("anna"), "01"+strings.Repeat("0", 62), 1), 14,
			"approver[0].public_key", "prime order"},
		{"one key, two approvers", psbt("[rule.approvals]\nrequire = 2\nalways = true\nfrom = [\"anna\", \"ben\"]") +
			strings.Replace(approversOf("anna", "ben"), approverKey("ben"), approverKey("anna"), 1), 18,
			"approver[1].public_key", "key of anna too"},
		{"one name, two approvers", psbt("[rule.approvals]\nrequire = 1\nalways = true\nfrom = [\"anna\"]") +
			approversOf("anna", "anna"), 17, "approver[1].name", "taken"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.text), "regtest")
			all, ok := errors.AsType[Errors](err)
			if !ok {
				t.Fatalf("%v for:\n%s", err, c.text)
			}
			for _, e := range all {
				if (c.line == 0 || e.Line == c.line) && (c.key == "" || e.Key == c.key) && strings.Contains(e.Message, c.says) {
					return
				}
			}
			t.Errorf("%v, want line %d, %s, %q for:\n%s", err, c.line, c.key, c.says, c.text)
		})
	}
	if _, err := Parse(nil, "main"); err == nil || !strings.Contains(err.Error(), "mainnet") {
		t.Errorf("a network that there is not: %v", err)
	}
	if _, err := Parse(make([]byte, MaxFile+1), "regtest"); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a file without end: %v", err)
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0.5 BTC": "0.5 BTC", "1000 sat": "0.00001 BTC", "21000000 BTC": "21000000 BTC", "2 SOL": "2 SOL",
		"5000 lamports": "0.000005 SOL", "250 spl:" + mint: "250 spl:" + mint, "600 signatures": "600 signatures",
		"1.10 BTC": "1.1 BTC", "007 jobs": "7 jobs",
	} {
		a, err := parseAmount(text)
		if err != nil || Amount(a.Asset, a.Units) != want {
			t.Errorf("%s: %s, %v", text, Amount(a.Asset, a.Units), err)
		}
		if again, err := parseAmount(want); err != nil || again != a {
			t.Errorf("%s is read as %v, %v", want, again, err)
		}
	}
	for _, text := range []string{"", " ", "BTC", "1", "1BTC", "1  BTC", ".5 BTC", "1. BTC", "1e3 sat", "0x1 sat",
		"+1 sat", "1,5 BTC",
		"1_000 sat", "1 BTC ", "1 spl:", "0 sat", "1 spl:" + mint + "x"} {
		if a, err := parseAmount(text); err == nil {
			t.Errorf("%q is %v", text, a)
		}
	}
}

// TestDescriptors: the addresses of a descriptor are those of BIP 86's vectors, whatever
// its origin; and a changed letter is seen.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	// BIP 86, "Test vectors": the account m/86'/0'/0', and its first addresses.
	const xpub = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteo" +
		"GVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
	addresses := map[string][]string{
		"/0": {"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
			"bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"},
		"/1": {"bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"},
	}
	for _, origin := range []string{"", "[73c5da0a/86'/0'/0']", "[73c5da0a/86h/0h/0h]"} {
		for path, chains := range map[string][]string{"/<0;1>": {"/0", "/1"}, "/0": {"/0"}, "/1": {"/1"}} {
			script := "tr(" + origin + xpub + path + "/*)"
			sum, err := descriptor.Checksum(script)
			if err != nil {
				t.Fatal(err)
			}
			d := &destinations{each: 3, addresses: set{}}
			if err := d.descriptor(networks["mainnet"], script+"#"+sum); err != nil {
				t.Fatal(err)
			}
			if len(d.addresses) != 3*len(chains) {
				t.Errorf("%s: %d addresses", script, len(d.addresses))
			}
			for _, chain := range chains {
				for _, address := range addresses[chain] {
					if !d.addresses[address] {
						t.Errorf("%s lacks %s", script, address)
					}
				}
			}
			for i := range script {
				bad := script[:i] + string(script[i]^1) + script[i+1:]
				if err := d.descriptor(networks["mainnet"], bad+"#"+sum); err == nil {
					t.Errorf("%s passes", bad)
				}
			}
		}
	}
	for script, says := range map[string]string{
		"tr(" + xpub + ")": "want", "tr(" + xpub + "/<0;1>/*,pk(" + xpub + "))": "want", "tr(" + xpub + "/0'/*)": "want",
		"tr(" + xpub + "/*)": "want", "tr(" + xpub + "/0/1/*)": "want", "tr(xpub/0/*)": "extended public key",
	} {
		sum, err := descriptor.Checksum(script)
		if err != nil {
			t.Fatal(err)
		}
		d := &destinations{each: 3, addresses: set{}}
		if err := d.descriptor(networks["mainnet"], script+"#"+sum); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", script, err)
		}
		if err := d.descriptor(networks["regtest"], script+"#"+sum); err == nil {
			t.Errorf("%s on regtest", script)
		}
	}
}

// TestFleetKeys: a key of the fleet is a destination once its addresses are known, and
// the policy that didn't know them is as before.
func TestFleetKeys(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", `destinations = ["fleet:`+key1+`"]`, `max_fee = ["1 BTC"]`, `destination_range = 3`))
	secp := derive.Key{Suite: frost.Secp256k1TR,
		PublicKey: unhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")}
	child := func(path ...uint32) string {
		k, err := secp.Child(path)
		if err != nil {
			t.Fatal(err)
		}
		output, err := frost.OutputKey(frost.Secp256k1TR, k.PublicKey, frost.Tweak{Mode: frost.TweakBIP86})
		if err != nil {
			t.Fatal(err)
		}
		address, err := taproot(networks["regtest"], [32]byte(output))
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	told, err := p.WithKeys(map[string]derive.Key{key1: secp, key0: {}})
	if err != nil {
		t.Fatal(err)
	}
	if told.Hash() != p.Hash() || len(told.FleetKeys()) != 0 || len(p.FleetKeys()) != 1 {
		t.Errorf("keys %v and %v", told.FleetKeys(), p.FleetKeys())
	}
	for _, to := range []string{child(), child(0, 0), child(0, 2), child(1, 2)} {
		ask := psbt("a", 10, out{to: to, units: 9})
		wantCode(t, told.Decide(ask, nil), Allowed, "")
		d := p.Decide(ask, nil)
		wantCode(t, d, Denied, CodeDestination)
		if !strings.Contains(d.Reason, "does not know the addresses yet") {
			t.Error(d.Reason)
		}
	}
	for _, to := range []string{child(0, 3), child(2, 0), child(0), child(0, 0, 0), shop} {
		wantCode(t, told.Decide(psbt("a", 10, out{to: to, units: 9}), nil), Denied, CodeDestination)
	}
	if _, err := p.WithKeys(map[string]derive.Key{key1: {Suite: frost.Secp256k1TR, PublicKey: make([]byte,
		33)}}); err == nil {
		t.Error("no key is a key")
	}
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(wholeFile()))
	f.Add([]byte(plainRule("psbt", `destinations = ["tr(x)#y", "self"]`)))
	f.Add([]byte("rule = [{name = \"a\", limit = [{amount = \"1 BTC\"}]}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, big := range []string{"range", "tr(", "fleet:"} {
			if strings.Contains(string(text), big) {
				return // computes addresses, which is what it is for
			}
		}
		p, err := Parse(text, "regtest")
		if err != nil {
			if all, ok := errors.AsType[Errors](err); !ok || len(all) == 0 || err.Error() == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if again, err := Parse(text, "regtest"); err != nil || again.Hash() != p.Hash() {
			t.Fatalf("another policy, %v", err)
		}
	})
}
