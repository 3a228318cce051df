import { lookByName, lookClass, type ServiceLook, serviceCode } from '../theme/colours';
import { PlainText } from './PlainText';
import styles from './ServiceTag.module.css';

/** A service where there is no order of services: colour by name, and its letters, so colour is not the only sign. */
export function ServiceCode(props: { readonly name: string; readonly look?: ServiceLook | undefined }) {
  return (
    <span className={`${styles.code} ${lookClass(props.look ?? lookByName(props.name))}`} aria-hidden="true">
      {serviceCode(props.name)}
    </span>
  );
}

/** Colour, letters and name. */
export function ServiceTag(props: { readonly name: string }) {
  return (
    <span className={styles.tag}>
      <ServiceCode name={props.name} />
      <span className={styles.name}>
        <PlainText text={props.name} />
      </span>
    </span>
  );
}
