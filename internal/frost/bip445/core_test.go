package bip445

import (
	"encoding/hex"
	"testing"
)

// TestCoreVectors runs a core of BIP 445's vectors, so that a clone without the files still tests every algorithm.
func TestCoreVectors(t *testing.T) {
	for _, c := range coreCases {
		t.Run(c.vector.Comment, func(t *testing.T) { c.run(t, coreGroup, &c.vector) })
	}
}

func unhex(s string) hexBytes {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Source of all of it: the generator in bitcoin/bips, pull request 2070 (draft 0.8.0 of 31 July 2026, CC0), with the
// noncecoef hash of draft 0.10.0 (26 August 2026). The first partial signature is the one published for 0.10.0.

var coreGroup = &group{
	ID: "2of3", T: 2, N: 3,
	ThresholdKey: unhex("02d772a09f5f675783d275ed9f6aaedb2eccbc74171b37ac23ae3bbd9d7ae2cdaa"),
	Pubshares: []hexBytes{
		unhex("039ee3335af48dfe23702ab353f4af20d401f67a130df783cc8457323a860a2fb4"),
		unhex("0284dc4ab2cb78a621eb87fa1f14bce2b725afeaac981adcbaff5cc2d417d2a63a"),
		unhex("036441ec2d4c1266201cd89b69549a2f5b2188612a0d434153e625fb38173dd509"),
	},
	Pubnonces: []hexBytes{
		unhex("03fc0d3e212d25027356a2c9bb7edc3b900dea5e32ab10c03868e01c8490f9d362" +
			"02c61389b6469b4345e00640cdc7eca301547b97d30fc11af410e23ad7b4bf69ee"),
		unhex("03706f00353ea69c0836bf63c2884d2de5afe549a33ec87427ca8b5cf4666b28ae" +
			"021b6300d0545e0b225c2dfc67ae33a9b0259b62809740363717e05cda4cc9ebfc"),
		unhex("02b7f6ef566dd2ddaa6af38371a41f80f93a90b9f407b5bdb8ed763f00103db0fc" +
			"039c677604e7b75ff6e47c42b0249a3baa9cc6b17e68d6d78e21aba9d04bf40745"),
		unhex("020000000000000000000000000000000000000000000000000000000000000009" +
			"0287bf891d2a6deaebadc909352aa9405d1428c15f4b75f04dae642a95c2548480"),
	},
	Secshares: []hexBytes{
		unhex("53442fa9bd72eea0a42df6f2d2d76a2c0d3a3dfa2be2f820f41ade976b8259fb"),
		unhex("5a7f9bd41f4b544664c54d777d43303cb5302434f9903b9b552c4e552bf02201"),
		unhex("61bb07fe8123b9ec255ca3fc27aef64d5d260a6fc73d7f15b63dbe12ec5dea07"),
	},
	Secnonces: []hexBytes{
		unhex("67afbe2b50f521569b9c1d943f8fe20620b8c25fa81e9788718af6ee87d5275c" +
			"9a485a634fe41558e4e108fbb52c5cf616c0cdf02bc0c10a99359ff6c1bd705c"),
		unhex("6e5aabd814f30045744dc470103d44bcd846284d7a763f9ba3f5c73dce20bf45" +
			"9fcede0dfff09b9e0150ce5a2c05d3199b4b0987a18c49e9273deadbba40b4d6"),
		unhex("762f4601ac206e1f1497eb541202b727cc19fa0450289c778b5d5f4f1a4b53f4" +
			"d63d312cc2c9196d08fd62f3958fe8bbc66b8517d10de534f6a641d0e6e5ebcb"),
	},
	Tweaks: []hexBytes{
		unhex("e8f791ff9225a2af0102afff4a9a723d9612a682a25ebe79802b263cdfcd83bb"),
		unhex("ae2ea797cc0fe72ac5b97b97f3c6957d7e4199a167a58eb08bcaffda70ac0455"),
		unhex("f52ecbc565b3d8bea2dfd5b75a4f457e54369809322e4120831626f290fa87e0"),
		unhex("1969ad73cc177fa0b4fced6df1f7bf9907e665fde9ba196a74fed0a3cf5aef9d"),
	},
}

var coreCases = []struct {
	run    list
	vector vector
}{
	{signValid, vector{
		Comment:   "Minimum threshold subset of signers",
		IDs:       []int{0, 1},
		Pubshares: []int{0, 1},
		Pubnonces: []int{0, 1},
		AggNonce: unhex("030f261bfe5df0ae3ec06bb7a1d6394a3af206968281f03b70d25fb84d49036ce2" +
			"03be48277630579c72160430c819aabb1dfa20ff70749666080bb886b728476261"),
		Msg:      unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Expected: hexList{unhex("93dde8c9cee714eb5bdf2be00fec3327f9cf386d3ac672f0da734ffc08e7a041")},
	}},
	{signValid, vector{
		Comment:   "All signers participate, signed by a non-first member of the signer set",
		MyID:      1,
		IDs:       []int{0, 1, 2},
		Pubshares: []int{0, 1, 2},
		Pubnonces: []int{0, 1, 2},
		SecshareI: 1,
		SecnonceI: 1,
		AggNonce: unhex("02cbc2e41af87290a1401d49927fc30d7f40a404c4df3e5fc734014188dbc44e15" +
			"03c15312edc691eb213f3b8aac195d251a390563cd5e313d738a89daeb4da80746"),
		Msg:      unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Expected: hexList{unhex("09955f6b6cf09ed383f33c1bfcfe059e79e9d26fecc0095f4a31f22e7ed242ae")},
	}},
	{signError, vector{
		Comment:   "Aggregate nonce is invalid: first half has an unknown tag 0x04",
		IDs:       []int{0, 1},
		Pubshares: []int{0, 1},
		AggNonce: unhex("048465fcf0bbdbcf443aabcce533d42b4b5a10966ac09a49655e8c42daab8fcd61" +
			"037496a3cc86926d452cafcfd55d25972ca1675d549310de296bff42f72eeea8c9"),
		Msg:   unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Error: &wantError{Type: "InvalidContributionError", Contrib: "aggnonce"},
	}},
	{verifyFail, vector{
		Comment:   "Negated partial signature fails the verification equation",
		IDs:       []int{0, 1},
		Pubshares: []int{0, 1},
		Pubnonces: []int{0, 1},
		Msg:       unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Psig:      unhex("6c2217363118eb14a420d41ff013ccd6c0dfa47974822d4ae55f0e90c74ea100"),
	}},
	{verifyError, vector{
		Comment:   "Verification rejects an invalid public nonce, blaming the malicious signer",
		IDs:       []int{0, 1},
		Pubshares: []int{0, 1},
		Pubnonces: []int{3, 1},
		Msg:       unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Psig:      unhex("93dde8c9cee714eb5bdf2be00fec3327f9cf386d3ac672f0da734ffc08e7a041"),
		Error:     &wantError{Type: "InvalidContributionError", Contrib: "pubnonce", Signer: new(0)},
	}},
	{signValid, vector{
		Comment:   "Four tweaks with all signers participating, signed by a non-first member of the signer set",
		MyID:      1,
		IDs:       []int{0, 1, 2},
		Pubshares: []int{0, 1, 2},
		Pubnonces: []int{0, 1, 2},
		SecshareI: 1,
		SecnonceI: 1,
		AggNonce: unhex("02cbc2e41af87290a1401d49927fc30d7f40a404c4df3e5fc734014188dbc44e15" +
			"03c15312edc691eb213f3b8aac195d251a390563cd5e313d738a89daeb4da80746"),
		Msg:      unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Tweaks:   []int{0, 1, 2, 3},
		XOnly:    []bool{false, false, true, true},
		Expected: hexList{unhex("5ac0e510fb37f02bad7a04d1e0ba0827df6460dee7aa6cab5dd282913d064965")},
	}},
	{signError, vector{
		Comment:   "Number of tweaks does not match the number of tweak modes",
		IDs:       []int{0, 1},
		Pubshares: []int{0, 1},
		AggNonce: unhex("030f261bfe5df0ae3ec06bb7a1d6394a3af206968281f03b70d25fb84d49036ce2" +
			"03be48277630579c72160430c819aabb1dfa20ff70749666080bb886b728476261"),
		Msg:    unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Tweaks: []int{0},
		XOnly:  []bool{},
		Error:  &wantError{Type: "ValueError", Message: "The tweaks and is_xonly arrays must have the same length."},
	}},
	{sigAggValid, vector{
		Comment:   "Aggregation with three tweaks applied (one x-only, two plain)",
		IDs:       []int{0, 1},
		Pubshares: []int{0, 1},
		AggNonce: unhex("030f261bfe5df0ae3ec06bb7a1d6394a3af206968281f03b70d25fb84d49036ce2" +
			"03be48277630579c72160430c819aabb1dfa20ff70749666080bb886b728476261"),
		Msg:    unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Tweaks: []int{0, 1, 2},
		XOnly:  []bool{true, false, false},
		Psigs: []hexBytes{
			unhex("cc60dfbcaee58593ef5a58c757621fe8e6644925945b973527268d6493c1cb0e"),
			unhex("6bf7ac278ea83796031547baa813c4fbf2d7b25b70ec59dd46ecb82c9104a5b0"),
		},
		Expected: hexList{unhex("e2308f92de70bc5f612d329f69f141bf4e886797b25539fcbdf39096b53e0f08" +
			"1093777bbf7daf39bd06d299cb3860d43f647fc3a36507e2a57061d031f5696e")},
	}},
	{sigAggError, vector{
		Comment:   "Partial signature equals the group order, which is out of range",
		IDs:       []int{0, 1},
		Pubshares: []int{0, 1},
		AggNonce: unhex("030f261bfe5df0ae3ec06bb7a1d6394a3af206968281f03b70d25fb84d49036ce2" +
			"03be48277630579c72160430c819aabb1dfa20ff70749666080bb886b728476261"),
		Msg: unhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf"),
		Psigs: []hexBytes{
			unhex("93dde8c9cee714eb5bdf2be00fec3327f9cf386d3ac672f0da734ffc08e7a041"),
			unhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
		},
		Error: &wantError{Type: "InvalidContributionError", Contrib: "psig", Signer: new(1)},
	}},
	{nonceGenValid, vector{
		Comment:  "All optional defense-in-depth arguments present",
		Rand:     unhex("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"),
		Secshare: unhex("53442fa9bd72eea0a42df6f2d2d76a2c0d3a3dfa2be2f820f41ade976b8259fb"),
		Pubshare: unhex("039ee3335af48dfe23702ab353f4af20d401f67a130df783cc8457323a860a2fb4"),
		XOnlyKey: unhex("d772a09f5f675783d275ed9f6aaedb2eccbc74171b37ac23ae3bbd9d7ae2cdaa"),
		Extra:    unhex("0808080808080808080808080808080808080808080808080808080808080808"),
		Msg:      unhex("0101010101010101010101010101010101010101010101010101010101010101"),
		Expected: hexList{
			unhex("60f73df0c66b5bcadf68b4cb3487ecf3f3065cc9d9c1dcf556453a42e21abf5c" +
				"9ca37bf6cfe0e90c16d83efb572095d82863f299ca86be3c53f167ffd1f3606a"),
			unhex("038ebc31ef5c88c3e4470bda8765a8377697e1cb20a1d07d6b09c0146814ec5bdf" +
				"0386d61a1ccfbec0a8aef01ffd83a6f9e0e90fdc20d093861a27ac4a10c931b0d3"),
		},
	}},
	{nonceGenValid, vector{
		Comment: "All optional defense-in-depth arguments omitted",
		Rand:    unhex("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"),
		Expected: hexList{
			unhex("42b39ca56390449a85bcec2ef9b102ce945e693570a0077e98f8e77476ac3063" +
				"ec9cfc5ce249d19c7be5c310a425fb5e1e9b3b4577f628d9854a4a3c6c64c653"),
			unhex("0375b28f1525614d3a57ae7b5d9109c24bdcb823065c4ad85d01a53edcebd22fea" +
				"03ebac798bc7d8f6580f21792938cd7a8b4462bbbdb5ab171370f17951e55ce990"),
		},
	}},
}
