// Reads Kubernetes manifests from standard input as the API server would: a field that a kind does not have, a value
// of a wrong type and a doubled key are errors, one a line. Kinds of other projects (those of Prometheus, KEDA and
// cert-manager) are not known here and are named on standard output. The exit status is 1 when anything is wrong.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	status := 0
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			os.Exit(status)
		}
		if err == nil {
			_, _, decoding := decoder.Decode(document, nil, nil)
			if runtime.IsNotRegisteredError(decoding) {
				fmt.Println(decoding)
				continue
			}
			err = decoding
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "document %d: %v\n", number, err)
			status = 1
		}
	}
}
