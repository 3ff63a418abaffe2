package namesrv

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rc4"
	"crypto/sha1"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"unicode/utf16"
)

// Private keys encrypted in the manner of PKCS #12, RFC 7292, appendix C. They
// are old and weak, but RocketMQ's own instructions make them:
// openssl pkcs8 -topk8 -v1 PBE-SHA1-RC4-128. The library knows only the newer
// PBES2.

var (
	oidPBEWithSHA1AndRC4128 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 1}
	oidPBEWithSHA1And3DES   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
)

var errBadPassword = errors.New("wrong password, or damaged")

// maxPBEIterations bounds what opening a key may cost; openssl uses 2,048.
const maxPBEIterations = 10_000_000

// decryptPKCS12PBE returns the PKCS #8 key in der, the EncryptedPrivateKeyInfo
// of RFC 5958. ok is false if it is encrypted in another manner.
func decryptPKCS12PBE(der []byte, password string) (key []byte, ok bool, err error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, false, err
	}
	isRC4 := info.Algorithm.Algorithm.Equal(oidPBEWithSHA1AndRC4128)
	if !isRC4 && !info.Algorithm.Algorithm.Equal(oidPBEWithSHA1And3DES) {
		return nil, false, nil
	}
	var params struct {
		Salt       []byte
		Iterations int
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, true, err
	}
	if params.Iterations < 1 || params.Iterations > maxPBEIterations {
		return nil, true, fmt.Errorf("%d iterations", params.Iterations)
	}
	derive := func(purpose byte, size int) []byte {
		return pkcs12Derive(purpose, password, params.Salt, params.Iterations, size)
	}
	if isRC4 {
		c, err := rc4.NewCipher(derive(1, 16))
		if err != nil {
			return nil, true, err
		}
		key = make([]byte, len(info.Data))
		c.XORKeyStream(key, info.Data)
		return key, true, nil
	}
	block, err := des.NewTripleDESCipher(derive(1, 24))
	if err != nil {
		return nil, true, err
	}
	n := len(info.Data)
	if n == 0 || n%des.BlockSize != 0 {
		return nil, true, errBadPassword
	}
	key = make([]byte, n)
	cipher.NewCBCDecrypter(block, derive(2, des.BlockSize)).CryptBlocks(key, info.Data)
	padding := int(key[n-1])
	if padding < 1 || padding > des.BlockSize {
		return nil, true, errBadPassword
	}
	return key[:n-padding], true, nil
}

// pkcs12Derive is the key derivation of RFC 7292, appendix B.2, with SHA-1.
// purpose is 1 for a key and 2 for an initial vector.
func pkcs12Derive(purpose byte, password string, salt []byte, iterations, size int) []byte {
	const block = 64 // of SHA-1
	fill := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		n := (len(b) + block - 1) / block * block
		return bytes.Repeat(b, n/len(b)+1)[:n]
	}
	var secret []byte // UTF-16, big-endian, with a zero at the end
	for _, u := range append(utf16.Encode([]rune(password)), 0) {
		secret = append(secret, byte(u>>8), byte(u))
	}
	input := append(fill(salt), fill(secret)...)
	var out []byte
	for {
		sum := sha1.Sum(append(bytes.Repeat([]byte{purpose}, block), input...))
		for range iterations - 1 {
			sum = sha1.Sum(sum[:])
		}
		out = append(out, sum[:]...)
		if len(out) >= size {
			return out[:size]
		}
		// Each block of the input becomes itself + the filled sum + 1.
		add := new(big.Int).SetBytes(fill(sum[:]))
		add.Add(add, big.NewInt(1))
		for i := 0; i < len(input); i += block {
			v := new(big.Int).SetBytes(input[i : i+block])
			b := v.Add(v, add).Bytes()
			if len(b) > block {
				b = b[len(b)-block:]
			}
			clear(input[i : i+block])
			copy(input[i+block-len(b):], b)
		}
	}
}
