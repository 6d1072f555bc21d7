/** The type of a field that may hold a secret. Preact types each literal apart, hence the narrow return type. */
export function inputType(secret: boolean): "text" {
  return (secret ? "password" : "text") as "text";
}
