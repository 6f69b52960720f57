package awskms

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A keyName is what an operator may write as key_id: a key ARN, an alias ARN,
// a key id, or an alias.
type keyName struct {
	partition, region, account string // of an ARN; empty otherwise
	resource                   string // key/ID or alias/NAME
}

var (
	arnForm = regexp.MustCompile(`^arn:(aws[a-z-]{0,20}):kms:([a-z]{2,4}(?:-[a-z]{1,16}){1,3}-[0-9]{1,2}):([0-9]{12}):` +
		`(key/[A-Za-z0-9-]{1,100}|alias/[A-Za-z0-9/_-]{1,250})$`)
	aliasForm = regexp.MustCompile(`^alias/[A-Za-z0-9/_-]{1,250}$`)
	idForm    = regexp.MustCompile(`^(mrk-[A-Za-z0-9-]{1,60}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$`)
)

func parseKeyName(s string) (keyName, error) {
	if m := arnForm.FindStringSubmatch(s); m != nil {
		return keyName{m[1], m[2], m[3], m[4]}, nil
	}
	if aliasForm.MatchString(s) {
		return keyName{resource: s}, nil
	}
	if idForm.MatchString(s) {
		return keyName{resource: "key/" + s}, nil
	}
	switch {
	case s == "":
		return keyName{}, errors.New("is missing")
	case strings.HasPrefix(s, "arn:"):
		return keyName{}, fmt.Errorf("%.300q is not the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID or "+
			"arn:aws:kms:REGION:ACCOUNT:alias/NAME", s)
	}
	return keyName{}, fmt.Errorf("%.300q is no ARN, key id or alias: an alias begins with alias/", s)
}

// String returns what was parsed.
func (k keyName) String() string {
	if k.region == "" {
		return k.id()
	}
	return "arn:" + k.partition + ":kms:" + k.region + ":" + k.account + ":" + k.resource
}

// id is the key's without its account and region, or its alias.
func (k keyName) id() string { return strings.TrimPrefix(k.resource, "key/") }

// in returns the key of the same name in another region: the replica, if the key
// has one there.
func (k keyName) in(region string) keyName {
	if k.region != "" {
		k.region = region
	}
	return k
}

func (k keyName) alias() bool { return strings.HasPrefix(k.resource, "alias/") }

// multiRegion tells keys that may have replicas. Of an alias only DescribeKey
// knows.
func (k keyName) multiRegion() bool { return strings.HasPrefix(k.resource, "key/mrk-") }
