package codec

import "fmt"

// A LanguageCode names the programming language of a client. It is written
// to logs and decides nothing. Java: LanguageCode.
type LanguageCode int8

const (
	LanguageUnknown LanguageCode = -1 // a name or number Java's enum does not know
	LanguageJava    LanguageCode = 0
	LanguageCPP     LanguageCode = 1
	LanguageDotNet  LanguageCode = 2
	LanguagePython  LanguageCode = 3
	LanguageDelphi  LanguageCode = 4
	LanguageErlang  LanguageCode = 5
	LanguageRuby    LanguageCode = 6
	LanguageOther   LanguageCode = 7
	LanguageHTTP    LanguageCode = 8
	LanguageGo      LanguageCode = 9
	LanguagePHP     LanguageCode = 10
	LanguageOMS     LanguageCode = 11
	LanguageRust    LanguageCode = 12 // since 4.9.4
	LanguageNodeJS  LanguageCode = 13 // since 5.3.2
)

var languageNames = [...]string{
	"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER",
	"HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS",
}

// String returns the Java name.
func (l LanguageCode) String() string {
	if l >= 0 && int(l) < len(languageNames) {
		return languageNames[l]
	}
	return fmt.Sprintf("LanguageCode(%d)", int8(l))
}

// languageByName returns LanguageUnknown for names Java does not know: such a
// request is served all the same.
func languageByName(name []byte) LanguageCode {
	if string(name) == "JAVA" {
		return LanguageJava
	}
	for i, n := range languageNames {
		if string(name) == n {
			return LanguageCode(i)
		}
	}
	return LanguageUnknown
}

// languageByByte reads the language byte of a binary header.
func languageByByte(b byte) LanguageCode {
	if int(b) < len(languageNames) {
		return LanguageCode(b)
	}
	return LanguageUnknown
}
