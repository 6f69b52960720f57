package kmstest

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// awsError is an error as KMS sends it; Status 0 is 400.
type awsError struct {
	code, message string
	status        int
}

// input has the fields of every operation.
type input struct {
	KeyId, SigningAlgorithm, MessageType, MacAlgorithm string
	Message                                            []byte
}

// ServeHTTP speaks the JSON protocol of KMS. It reads the region from the
// credential scope of the signature, which it does not verify.
func (f *FaultKMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	operation, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	scope := strings.Split(r.Header.Get("Authorization"), "/") // ... Credential=ID/DATE/REGION/kms/aws4_request
	if len(scope) < 5 {
		writeError(w, &awsError{"MissingAuthenticationTokenException", "Missing Authentication Token", 0})
		return
	}
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		writeError(w, &awsError{"SerializationException", err.Error(), 0})
		return
	}
	if !slices.Contains(operations, operation) {
		writeError(w, &awsError{"UnknownOperationException", "no " + operation + " here", 0})
		return
	}
	region := scope[2]
	key, at, missing := f.lookup(region, in.KeyId)
	id := in.KeyId
	if key != nil {
		id = key.id
	}
	f.mu.Lock()
	f.counts[count{operation, region, id}]++
	f.mu.Unlock()
	answer := func() (map[string]any, *awsError) {
		if missing != nil {
			return nil, missing
		}
		return key.answer(operation, region, at, in)
	}
	if f.happens(w, r, f.fault(operation, region, id), answer) {
		return
	}
	out, failed := answer()
	if failed != nil {
		writeError(w, failed)
		return
	}
	_ = json.NewEncoder(w).Encode(out) // to a caller that may be gone
}

func writeError(w http.ResponseWriter, e *awsError) {
	status := e.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.code, "message": e.message})
}

func (k *faultKey) answer(operation, region string, at replica, in input) (map[string]any, *awsError) {
	arn := keyARN(region, k.id)
	if action := "kms:" + operation; slices.Contains(at.denied, action) {
		return nil, &awsError{"AccessDeniedException", "User: arn:aws:sts::" + Account + ":assumed-role/frost-node/i-0 is not authorized" +
			" to perform: " + action + " on resource: " + arn + " because no identity-based policy allows the " + action + " action", 0}
	}
	if operation == DescribeKey {
		return k.describe(region, at), nil
	}
	if failed := unusable(arn, at.state); failed != nil {
		return nil, failed
	}
	switch {
	case operation == GetPublicKey && k.signer != nil:
		der, err := x509.MarshalPKIXPublicKey(&k.signer.PublicKey)
		if err != nil {
			panic(err)
		}
		return map[string]any{"KeyId": arn, "KeySpec": k.Spec, "KeyUsage": k.Usage, "PublicKey": der}, nil
	case operation == Sign && k.signer != nil && k.Usage == "SIGN_VERIFY":
		return k.sign(arn, in)
	case operation == GenerateMac && k.Usage == "GENERATE_VERIFY_MAC":
		if in.MacAlgorithm != "HMAC_SHA_256" || k.Spec != "HMAC_256" {
			return nil, &awsError{"InvalidKeyUsageException", "Algorithm " + in.MacAlgorithm + " is incompatible with key spec " + k.Spec + ".", 0}
		}
		mac := hmac.New(sha256.New, k.mac)
		mac.Write(in.Message)
		return map[string]any{"KeyId": arn, "Mac": mac.Sum(nil), "MacAlgorithm": in.MacAlgorithm}, nil
	}
	return nil, &awsError{"InvalidKeyUsageException", arn + " key usage is " + k.Usage + " which is not valid for " + operation + ".", 0}
}

// unusable is what KMS says of a key in a state that can't work.
func unusable(arn, state string) *awsError {
	switch state {
	case "Enabled", "Updating":
		return nil
	case "Disabled":
		return &awsError{"DisabledException", arn + " is disabled.", 0}
	case "PendingDeletion":
		return &awsError{"KMSInvalidStateException", arn + " is pending deletion.", 0}
	case "PendingImport":
		return &awsError{"KMSInvalidStateException", arn + " is pending import.", 0}
	}
	return &awsError{"KMSInvalidStateException", arn + " is in an invalid state for this operation.", 0}
}

func (k *faultKey) sign(arn string, in input) (map[string]any, *awsError) {
	if in.SigningAlgorithm != "ECDSA_SHA_256" || k.Spec != "ECC_NIST_P256" {
		return nil, &awsError{"InvalidKeyUsageException", "Algorithm " + in.SigningAlgorithm + " is incompatible with key spec " + k.Spec + ".", 0}
	}
	digest := in.Message
	if in.MessageType != "DIGEST" {
		sum := sha256.Sum256(in.Message)
		digest = sum[:]
	}
	if len(digest) != sha256.Size {
		return nil, &awsError{"ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.", 0}
	}
	sig, err := ecdsa.SignASN1(rand.Reader, k.signer, digest)
	if err != nil {
		panic(err)
	}
	return map[string]any{"KeyId": arn, "Signature": sig, "SigningAlgorithm": in.SigningAlgorithm}, nil
}

func (k *faultKey) describe(region string, at replica) map[string]any {
	meta := map[string]any{
		"AWSAccountId": Account, "Arn": keyARN(region, k.id), "KeyId": k.id, "CreationDate": 1.7e9, "Description": "",
		"Enabled": at.state == "Enabled", "KeyState": at.state, "KeySpec": k.Spec, "CustomerMasterKeySpec": k.Spec,
		"KeyUsage": k.Usage, "KeyManager": "CUSTOMER", "Origin": "AWS_KMS", "MultiRegion": k.MultiRegion,
	}
	if at.state == "PendingDeletion" {
		meta["DeletionDate"] = 1.8e9
	}
	return map[string]any{"KeyMetadata": meta}
}
